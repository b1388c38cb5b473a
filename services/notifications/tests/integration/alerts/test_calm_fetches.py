"""Whole fetches come to the same as their events one by one, whatever is repeated, broken, or cut off in the middle."""

import dataclasses
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from bloom_events.auth import Role
from bloom_events.envelope import Envelope, to_kafka
from bloom_events.risk import RiskLevel
from notifications.agents import LISTENS_TO, crisis
from notifications.agents.fetches import Fetches
from notifications.use_cases.consumer import CONSUMER
from service_kit.chores import Chore
from service_kit.consuming import Backoff, LogRecord, decode_whole
from service_kit.consuming_fetches import FetchConsuming
from service_kit.errors import ServiceUnavailable
from service_kit.unit_of_work import Transaction, UnitOfWork

LOW, MODERATE, HIGH, CRITICAL = RiskLevel
CONVERSATIONS = 4
NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)

WATCHED = """
    select message_id, revision, conversation_id, cardinality(therapist_ids), written_at, correlation_id, committed_at, heard_at,
        due_at, level, received_at, scored_at, unscored_at, events_handled
    from watched_messages order by 1, 2
"""
ENDINGS = "select message_id, deleted_at, withdrawn_at from message_endings order by 1"
ALERTS = """
    select conversation_id, cause, message_id, message_sent_at, level, status, revision, deadline from alerts order by 1, 2
"""
CHANGES = """
    select conversation_id, c.revision, c.hop, c.message_id, c.level, c.at from alert_changes c join alerts a on a.id = alert_id
    order by 1, 2
"""
REASONS = """
    select conversation_id, m.message_id, m.cause, m.level from alert_messages m join alerts a on a.id = alert_id order by 1, 2
"""


class ProcessDied(BaseException):
    """The process died. No exception that a program could catch: nothing of it sees its own end."""


class Power:
    """Lets so many statements through, over all units of work, and then the process dies; None for no end."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.failure: Exception | None = None

    def use(self) -> None:
        if self.left is None:
            return
        if self.left == 0:
            if self.failure is None:
                raise ProcessDied
            failure, self.failure, self.left = self.failure, None, None
            raise failure
        self.left -= 1


class PoweredConnection:
    """A connection each of whose statements needs power."""

    def __init__(self, connection: Any, power: Power) -> None:
        self._connection, self._power = connection, power

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in {"execute", "fetch", "fetchrow", "fetchval"}:
            return method

        async def powered(*arguments: Any) -> Any:
            self._power.use()
            return await method(*arguments)

        return powered


class PoweredUnitOfWork:
    """A unit of work whose statements, and whose commit, need power."""

    def __init__(self, uow: UnitOfWork, power: Power) -> None:
        self._uow, self._power, self.context = uow, power, uow.context

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._uow.begin() as transaction:
            transaction.connection = PoweredConnection(transaction.connection, self._power)  # type: ignore[assignment]  # it has its methods
            yield transaction
            self._power.use()


class Reader:
    """The worker's consumer on a ward's database, which may lose its power."""

    def __init__(self, *wards: Any) -> None:
        self.power, self.parked = Power(), list[tuple[str, int, str]]()
        ward, by_tenant = wards[0], {each.tenant_id: each for each in wards}

        async def unit_for(cause: Envelope[Any]) -> Any:
            return PoweredUnitOfWork(by_tenant[cause.tenant_id].uow(cause), self.power)

        async def nothing_due(_now: datetime) -> None:
            return None

        watchdog = Chore("unscored", nothing_due, clock=ward.clock)
        facts = {"patience": ward.patience, "watchdog": watchdog, "clock": ward.clock}
        effects = Fetches(crisis.handlers(unit_for, **facts), crisis.hearing_calm(unit_for, **facts))
        self.consumer = FetchConsuming(CONSUMER, LISTENS_TO, effects, self, decode=decode_whole, backoff=Backoff(0.001, 0.001))

    async def park(self, record: Any, reason: str, attempts: int = 1) -> None:  # noqa: ARG002  # the parker's interface
        self.parked.append((record.topic, record.offset, reason))


@dataclasses.dataclass(frozen=True)
class Step:
    """Something that happened to a message. Its times are its own, but for that of the text: a score may be heard of first."""

    kind: str
    conversation: int
    number: int
    revision: int
    level: RiskLevel = LOW
    role: Role = Role.PATIENT

    def told(self, ward: Any, ids: UUID, at: datetime) -> Envelope[Any]:
        ward.clock.moment = at
        counted = self.kind in {"edited", "deleted"}
        message = ward.message(
            conversation_id=uuid5(ids, f"{self.conversation}"), message_id=uuid5(ids, f"{self.conversation} {self.number}"),
            author_role=self.role, revision=self.revision - counted,
        )  # fmt: skip
        cause = message.scored(self.level) if self.kind == "scored" else getattr(message, self.kind)()
        written_at = NOW - timedelta(hours=self.number + 1)
        facts = dict.fromkeys(("sent_at", "edited_at", "message_sent_at"), written_at)
        facts |= {"received_at": at + timedelta(milliseconds=1), "scored_at": at + timedelta(milliseconds=2)}
        known = {name: value for name, value in facts.items() if name in type(cause.data).model_fields}
        correlation_id = uuid5(ids, f"{self.number} {self.revision}")
        return dataclasses.replace(cause, data=cause.data.model_copy(update=known), correlation_id=correlation_id)


def of_message(rng: random.Random, conversation: int, number: int) -> Iterator[Step]:
    """What happens to one message: most are calm, some are edited, deleted, scored by several models, or written by others."""
    role = Role.THERAPIST if rng.random() < 0.1 else Role.PATIENT
    yield Step("sent", conversation, number, 1, role=role)
    revision = 1
    for _ in range(rng.choice([1, 1, 1, 2, 3, 0])):
        level = rng.choices(list(RiskLevel), [12, 4, 2, 1])[0]
        yield Step("scored", conversation, number, rng.randint(1, revision), level, role)
        if rng.random() < 0.2:
            revision += 1
            yield Step("edited", conversation, number, revision, role=role)
    if rng.random() < 0.1:
        yield Step("deleted", conversation, number, revision + 1, role=role)
        yield Step("withdrawn", conversation, number, revision + 1, role=role)


def story(rng: random.Random) -> list[Step]:
    """What happens in a few conversations at a time, each in its order."""
    of_each = [[step for number in range(10) for step in of_message(rng, each, number)] for each in range(CONVERSATIONS)]
    mixed = []
    while left := [steps for steps in of_each if steps]:
        mixed.append(rng.choice(left).pop(0))
    return mixed


def told(ward: Any, steps: Sequence[Step], ids: UUID) -> list[Envelope[Any]]:
    events = [step.told(ward, ids, NOW + timedelta(seconds=second)) for second, step in enumerate(steps)]
    ward.clock.moment = NOW + timedelta(days=1)
    return events


def records(events: Sequence[Envelope[Any]], steps: Sequence[Step]) -> list[LogRecord]:
    """The events as the log holds them: a conversation keeps to one partition, and a topic has two."""
    messages = [(to_kafka(event), step.conversation % 2) for event, step in zip(events, steps, strict=True)]
    return [
        LogRecord(sent.topic, partition, offset, sent.timestamp_ms, sent.key, sent.value, sent.headers)
        for offset, (sent, partition) in enumerate(messages)
    ]


def fetches(log: Sequence[LogRecord], rng: random.Random) -> Iterator[list[LogRecord]]:
    """The log in pieces of any size, the records of each piece partition by partition."""
    start = 0
    while start < len(log):
        piece = log[start : start + rng.randint(1, 40)]
        yield sorted(piece, key=lambda record: (record.topic, record.partition))
        start += len(piece)


async def state(ward: Any, outbox: Any) -> list[object]:
    """All that is known, and all that was told, but for ids that are new each time."""
    data = [(event["type"], event["data"]) for event in await outbox(ward.tenant_id)]
    published = [(facts["conversation_id"], kind, facts["revision"], facts["level"]) for kind, facts in data]
    kept = [await ward.rows(query) for query in (WATCHED, ENDINGS, ALERTS, CHANGES, REASONS)]
    return [*kept, sorted(published, key=lambda event: event[0])]


@pytest.mark.parametrize("seed", range(6))
async def test_fetches_that_are_repeated_and_cut_off_anywhere_come_to_the_same_as_one_event_after_the_other(
    ward: Any, other_ward: Any, outbox: Any, seed: int
) -> None:
    rng = random.Random(seed)
    steps, ids = story(rng), uuid4()
    await other_ward.hear(*told(other_ward, steps, ids))
    log, reader, deaths = records(told(ward, steps, ids), steps), Reader(ward), 0

    for fetch in fetches(log, rng):
        # Nothing of a fetch is acknowledged by a process that dies, so that the next one gets all of it, and some of it twice.
        reader.power.left = rng.randrange(12)
        try:
            await reader.consumer.consume_fetch(fetch)
        except ProcessDied:
            deaths += 1
        reader.power.left = None
        await reader.consumer.consume_fetch([*fetch, *rng.sample(fetch, len(fetch) // 5)])

    assert await state(ward, outbox) == await state(other_ward, outbox)
    assert await ward.alerts() != []
    assert reader.parked == []
    assert deaths > 0


async def test_a_cut_after_any_statement_of_a_fetch_leaves_only_whole_transactions(
    ward: Any, other_ward: Any, outbox: Any
) -> None:
    steps = [
        Step("sent", 0, 1, 1), Step("sent", 0, 2, 1), Step("sent", 2, 3, 1), Step("scored", 2, 3, 1),
        Step("scored", 0, 1, 1, HIGH), Step("scored", 0, 2, 1),
    ]  # fmt: skip
    ids, statements = uuid4(), 0
    await other_ward.hear(*told(other_ward, steps, ids))
    log, reader = records(told(ward, steps, ids), steps), Reader(ward)
    seen = []

    while True:
        reader.power.left = statements
        try:
            await reader.consumer.consume_fetch(log)
        except ProcessDied:
            statements += 1
            handled = sum(row["events_handled"] for row in await ward.rows("select events_handled from watched_messages"))
            seen.append((handled, len(await ward.alerts())))
        else:
            break

    # All that is calm up to the score that raises, that score, and the calm one behind it.
    assert sorted(set(seen)) == [(0, 0), (4, 0), (5, 1)]
    assert await state(ward, outbox) == await state(other_ward, outbox)


async def test_one_record_that_cannot_be_handled_and_one_that_cannot_be_read_are_parked_alone(ward: Any, outbox: Any) -> None:
    good, worst, reader = ward.message(), ward.message(), Reader(ward)
    impossible = ward.told(ward.message().sent().data.model_copy(update={"sent_at": datetime.max.replace(tzinfo=UTC)}))
    causes = [good.sent(), impossible, good.scored(LOW), worst.scored(CRITICAL)]
    log = records(causes, [Step("any", 0, number, 1) for number in range(4)])
    unreadable = log[0]._replace(offset=9, value=b"{")

    await reader.consumer.consume_fetch([*log[:2], unreadable, *log[2:]])

    assert reader.parked == [
        ("bloom.messages.v1", 1, "handler failed: OverflowError"),
        ("bloom.messages.v1", 9, "unreadable: the body: json_invalid"),
    ]
    watched = await ward.rows("select message_id, level, events_handled from watched_messages")
    found = {row["message_id"]: (row["level"], row["events_handled"]) for row in watched}
    assert found == {good.message_id: ("low", 2), worst.message_id: ("critical", 1)}
    assert [event["type"] for event in await outbox(ward.tenant_id)] == ["alert.raised.v1"]


async def test_a_fetch_waits_for_a_database_that_is_away_and_parks_nothing(ward: Any) -> None:
    message = ward.message()
    causes, reader = [message.sent(), message.scored(LOW)], Reader(ward)
    reader.power.left, reader.power.failure = 2, ServiceUnavailable("The database cannot be reached.")

    await reader.consumer.consume_fetch(records(causes, [Step("any", 0, 1, 1)] * 2))

    assert reader.power.failure is None
    (watched,) = await ward.rows("select level, due_at, events_handled from watched_messages")
    assert (watched["level"], watched["due_at"], watched["events_handled"]) == ("low", None, 2)
    assert reader.parked == []


async def test_events_of_several_organisations_in_one_fetch_stay_with_their_own(ward: Any, other_ward: Any) -> None:
    mine, theirs = ward.message(), other_ward.message()
    causes = [mine.sent(), theirs.sent(), mine.scored(LOW), theirs.scored(MODERATE)]

    await Reader(ward, other_ward).consumer.consume_fetch(records(causes, [Step("any", 0, 1, 1)] * 4))

    for each, message, level in ((ward, mine, "low"), (other_ward, theirs, "moderate")):
        (watched,) = await each.rows("select message_id, level from watched_messages")
        assert (watched["message_id"], watched["level"]) == (message.message_id, level)
