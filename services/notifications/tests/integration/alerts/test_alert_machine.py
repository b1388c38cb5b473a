"""Whatever happens in whatever order, the database holds what a simple model of alerts says, and events tell the same story."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pydantic import SecretStr

from bloom_events.alerts import ChainStep
from bloom_events.risk import RiskLevel
from notifications.domain.chain import Deadlines, Successor
from notifications.use_cases import alerts, chains
from service_kit.database import create_pool
from service_kit.errors import Problem
from service_kit.testing import FixedClock

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

SECONDS = {"moderate": 300, "high": 120, "critical": 60}
ORDER = ["low", "moderate", "high", "critical"]
STEPS = ["therapist", "supervisor", "on_call"]
CALLING, ACKNOWLEDGED, RESOLVED = "calling", "acknowledged", "resolved"


@dataclass(eq=False)
class Modelled:
    """What the model knows of an alert; times are seconds since the opening."""

    level: str
    deadline: int | None
    status: str = CALLING
    step: int = 0
    lap: int = 1
    round: int = 1
    revision: int = 1
    holder: str | None = None
    called: set[str] = field(default_factory=lambda: {"therapist"})
    told: set[str] = field(default_factory=lambda: {"therapist"})
    levels: dict[UUID, str] = field(default_factory=dict)


class Alerts(RuleBasedStateMachine):
    """Two conversations of one patient, somebody at each step of the chain, an administrator, and a clock that runs forward."""

    database: ServiceDatabase
    make_ward: Callable[..., Any]
    written = Bundle("written")

    @initialize()
    def open_the_ward(self) -> None:
        self.loop, self.seconds = asyncio.new_event_loop(), 0
        self.model: list[list[Modelled]] = [[], []]
        self.scores: dict[UUID, dict[int, str]] = {}
        self.waiting: dict[tuple[UUID, int], int] = {}
        self.run(self._open())

    async def _open(self) -> None:
        self.pool = await create_pool(SecretStr(self.database.app_url), size=2, application_name="alert-machine")
        self.relay = await asyncpg.connect(self.database.relay_url)
        self.clock = FixedClock(datetime(2030, 1, 7, 9).astimezone())
        self.opening = self.clock()
        self.ward = await self.make_ward(self.pool, self.clock).open()
        self.people = {name: getattr(self.ward, name) for name in (*STEPS, "administrator")}
        self.conversations = [self.ward.message().conversation_id for _ in range(2)]
        await chains.set_chain(
            self.ward.uow(), supervisors=[self.ward.supervisor], on_call=[self.ward.on_call],
            deadlines=dict.fromkeys(ChainStep, Deadlines(**SECONDS)), seen=0, set_by=self.ward.administrator, now=self.clock(),
        )  # fmt: skip

    def teardown(self) -> None:
        # Another example in the same database must not find these due.
        if hasattr(self, "model"):
            for conversation in self.model:
                if conversation and conversation[-1].status == CALLING:
                    self.run(self.ward.answer(self.alert_id(conversation)))
            self.run(self.relay.close())
            self.run(self.pool.close())
            self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def outcome(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What came of it, or the slug of the refusal."""
        try:
            return self.run(work)
        except Problem as refused:
            return refused.slug

    @rule(target=written, conversation=st.integers(0, 1), is_heard=st.booleans())
    def write_something(self, conversation: int, is_heard: bool) -> Any:
        return self.write(conversation, is_heard=is_heard)

    def write(self, conversation: int, *, is_heard: bool) -> Any:
        message = self.ward.message(conversation_id=self.conversations[conversation])
        self.scores[message.message_id] = {}
        if is_heard:
            self.run(self.ward.hear(message.sent()))
            self.waiting[message.message_id, 1] = self.seconds + 5
        return message

    @rule(target=written, conversation=st.integers(0, 1), level=st.sampled_from(["high", "critical"]))
    def write_in_crisis(self, conversation: int, level: str) -> Any:
        message = self.write(conversation, is_heard=False)
        self.score(message, level, back=0, repeated=False)
        return message

    @rule(message=written)
    def edit(self, message: Any) -> None:
        self.run(self.ward.hear(message.edited()))
        if message.revision not in self.scores[message.message_id]:
            self.waiting[message.message_id, message.revision] = self.seconds + 5

    @rule(message=written, level=st.sampled_from(ORDER), back=st.integers(0, 2), repeated=st.booleans())
    def score_something(self, message: Any, level: str, back: int, repeated: bool) -> None:
        self.score(message, level, back=back, repeated=repeated)

    def score(self, message: Any, level: str, *, back: int, repeated: bool) -> None:
        revision = max(1, message.revision - back)
        event = message.scored(RiskLevel(level), revision=revision)
        self.run(self.ward.hear(event, event) if repeated else self.ward.hear(event))
        known = self.scores[message.message_id]
        before = [each for number, each in known.items() if number >= revision]
        self.waiting.pop((message.message_id, revision), None)
        known[revision] = max(known.get(revision, "low"), level, key=ORDER.index)
        if level in {"high", "critical"} and all(ORDER.index(level) > ORDER.index(each) for each in before):
            self.call_for(message, level)

    def call_for(self, message: Any, level: str) -> None:
        alerts_here = self.model[self.conversations.index(message.conversation_id)]
        if not alerts_here or alerts_here[-1].status == RESOLVED:
            alerts_here.append(Modelled(level, self.seconds + SECONDS[level], levels={message.message_id: level}))
            return
        alert = alerts_here[-1]
        if ORDER.index(alert.levels.get(message.message_id, "low")) >= ORDER.index(level):
            return
        alert.levels[message.message_id] = level
        alert.revision += 1
        if ORDER.index(level) > ORDER.index(alert.level):
            alert.level = level
            if alert.deadline is not None:
                alert.deadline = min(alert.deadline, self.seconds + SECONDS[level])

    @rule(seconds=st.integers(1, 200), in_order=st.booleans())
    def wait(self, seconds: int, in_order: bool) -> None:
        self.seconds += seconds
        self.clock.moment = self.opening + timedelta(seconds=self.seconds)
        works = [self.ward.escalate, self.ward.give_up]
        for work in works if in_order else reversed(works):
            self.run(work())
        steps = [self.model_escalates, self.model_gives_up]
        for step in steps if in_order else reversed(steps):
            step()

    def model_escalates(self) -> None:
        for alert in (alert for conversation in self.model for alert in conversation):
            if alert.deadline is not None and alert.deadline <= self.seconds:
                alert.lap += alert.step == 2
                alert.step = (alert.step + 1) % 3
                alert.called = set(STEPS) if alert.lap > 1 else {STEPS[alert.step]}
                self.model_calls(alert)

    def model_calls(self, alert: Modelled) -> None:
        alert.told |= alert.called
        alert.round += 1
        alert.revision += 1
        alert.deadline = self.seconds + SECONDS[alert.level]

    def model_gives_up(self) -> None:
        due = sorted((at, key) for key, at in self.waiting.items() if at <= self.seconds)
        for _, (message_id, revision) in due:
            del self.waiting[message_id, revision]
            if all(scored < revision for scored in self.scores[message_id]):
                self.call_for(self.message_of(message_id), "moderate")

    @rule(message=written, who=st.sampled_from([*STEPS, "administrator"]))
    def acknowledge(self, message: Any, who: str) -> None:
        found = self.last_alert(message)
        if found is None:
            return
        alert, alert_id = found
        outcome = self.outcome(self.ward.answer(alert_id, self.people[who]))
        if not self.may_see(alert, who):
            assert outcome == "alert-not-found"
        elif alert.status == RESOLVED:
            assert outcome == "alert-already-resolved"
        elif alert.status == ACKNOWLEDGED:
            assert outcome == "alert-already-acknowledged" if alert.holder != who else outcome.revision == alert.revision
        else:
            alert.status, alert.holder, alert.deadline = ACKNOWLEDGED, who, None
            alert.told |= {who}
            alert.revision += 1

    @rule(message=written, who=st.sampled_from([*STEPS, "administrator"]), step=st.integers(0, 2))
    def hand_over(self, message: Any, who: str, step: int) -> None:
        found = self.last_alert(message)
        if found is None:
            return
        alert, alert_id = found
        sight, to = self.ward.sight(self.people[who]), Successor(step=ChainStep(STEPS[step]))
        outcome = self.outcome(alerts.hand_over(self.ward.uow(), alert_id, sight, to, seen=None, now=self.clock()))
        if refusal := self.refusal(alert, who) or ("nobody-to-hand-over-to" if STEPS[step] == who else None):
            assert outcome == refusal
            return
        alert.status, alert.holder, alert.step, alert.called = CALLING, None, step, {STEPS[step]}
        alert.told |= {who}
        self.model_calls(alert)

    @rule(message=written, who=st.sampled_from([*STEPS, "administrator"]))
    def resolve(self, message: Any, who: str) -> None:
        found = self.last_alert(message)
        if found is None:
            return
        alert, alert_id = found
        outcome = self.outcome(self.ward.end(alert_id, self.people[who]))
        if refusal := self.refusal(alert, who):
            assert outcome == refusal
            return
        alert.status = RESOLVED
        alert.told |= {who}
        alert.revision += 1

    def refusal(self, alert: Modelled, who: str) -> str | None:
        """Why somebody may not hand an alert over, or resolve it."""
        if not self.may_see(alert, who):
            return "alert-not-found"
        return {RESOLVED: "alert-already-resolved", CALLING: "alert-not-acknowledged", ACKNOWLEDGED: None}[alert.status]

    def may_see(self, alert: Modelled, who: str) -> bool:
        return who == "administrator" or who in alert.told

    def last_alert(self, message: Any) -> tuple[Modelled, UUID] | None:
        conversation = self.model[self.conversations.index(message.conversation_id)]
        return (conversation[-1], self.alert_id(conversation)) if conversation else None

    def alert_id(self, conversation: list[Modelled]) -> UUID:
        """The id that the database gave to the last alert of a conversation."""
        query = "select id from alerts where conversation_id = $1 order by id"
        rows = self.run(self.ward.rows(query, self.conversations[self.model.index(conversation)]))
        assert len(rows) == len(conversation)
        found: UUID = rows[-1]["id"]
        return found

    def message_of(self, message_id: UUID) -> Any:
        query = "select distinct conversation_id from watched_messages where message_id = $1"
        (row,) = self.run(self.ward.rows(query, message_id))
        return self.ward.message(message_id=message_id, conversation_id=row["conversation_id"])

    @invariant()
    def the_database_holds_what_the_model_says(self) -> None:
        if hasattr(self, "model"):
            self.run(self._compare())

    async def _compare(self) -> None:
        names = {user_id: name for name, user_id in self.people.items()}
        for conversation, modelled in zip(self.conversations, self.model, strict=True):
            rows = await self.ward.rows("select * from alerts where conversation_id = $1 order by id", conversation)
            held = [
                (
                    row["level"], row["status"], row["step"], row["lap"], row["round"], row["revision"],
                    row["deadline"] and round((row["deadline"] - self.opening).total_seconds()),
                    {names[user_id] for user_id in row["called"]}, {names[user_id] for user_id in row["told"]},
                )
                for row in rows
            ]  # fmt: skip
            assert held == [
                (a.level, a.status, STEPS[a.step], a.lap, a.round, a.revision, a.deadline, a.called, a.told) for a in modelled
            ]
            for row, alert in zip(rows, modelled, strict=True):
                await self._compare_alert(row["id"], alert)

    async def _compare_alert(self, alert_id: UUID, alert: Modelled) -> None:
        members = await self.ward.rows("select message_id, level from alert_messages where alert_id = $1", alert_id)
        assert {row["message_id"]: row["level"] for row in members} == alert.levels
        changes = await self.ward.rows("select revision from alert_changes where alert_id = $1 order by 1", alert_id)
        assert [row["revision"] for row in changes] == list(range(1, alert.revision + 1))
        payloads = await self.relay.fetch("select payload from outbox where key = $1 order by id", str(alert_id).encode())
        assert [orjson.loads(row["payload"])["revision"] for row in payloads] == list(range(1, alert.revision + 1))


@pytest.mark.promise("AL1", "AL3")
@pytest.mark.timeout(600)
def test_the_database_follows_a_model_of_alerts(
    service_database: Callable[[str], ServiceDatabase], ward_maker: Callable[..., Any]
) -> None:
    class AlertsOnThisDatabase(Alerts):
        database = service_database("notifications")
        make_ward = staticmethod(ward_maker)

    run_state_machine_as_test(
        AlertsOnThisDatabase,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
        ),
    )
