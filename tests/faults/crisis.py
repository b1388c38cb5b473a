"""Row "crisis": under load each part of the crisis path is killed in turn; whoever wrote in crisis is answered all the same."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import httpx
from tests.faults.lab import Lab
from tests.faults.practice import CALM, CRISIS, Listener, Pair, Practice
from tests.faults.row import Finding, until

from local_stack.component import Component
from local_stack.ports import HOST, free_port

VICTIMS = (
    "ml-scoring-worker",
    "ml-scoring-relay",
    "messaging-relay",
    "messaging-socket",
    "messaging-worker",
    "notifications-worker",
    "notifications-relay",
    "kafka",
    "postgres",
    "valkey",
)
SHORT, LONG = (1, 6), (10, 20)
"""Kills of each part, and the messages in crisis around each kill."""

PER_SECOND, THERAPISTS = 40, 5
_BEFORE, _DEAD, _AFTER = 0.5, 0.3, 1.5
_LIMIT_SECONDS = 90.0


@dataclass
class Drill:
    """The practice under load, and what was answered so far: when each message in crisis was, by its conversation."""

    practice: Practice
    listeners: Mapping[UUID, Listener]
    phones: Mapping[UUID, str]
    rng: random.Random
    written: dict[UUID, float] = field(default_factory=dict)
    sent: int = 0
    tried_again: int = 0

    async def write(self, conversation_id: UUID, headers: Mapping[str, str], body: str, *, url: str | None = None) -> None:
        """Send one message until it is answered; the same id makes that safe."""
        message = {"conversationId": str(conversation_id), "id": str(uuid4()), "body": body}
        deadline = time.monotonic() + _LIMIT_SECONDS
        while True:
            with suppress(httpx.TransportError):
                answer = await self.practice.http.post(url or self.practice.messages_url, headers=dict(headers), json=message)
                if answer.is_success:
                    self.sent += 1
                    if body == CRISIS:
                        self.written.setdefault(conversation_id, time.monotonic())
                    return
                if answer.status_code < 500:
                    raise RuntimeError(f"a message was refused: {answer.status_code} {answer.text}")
            if time.monotonic() > deadline:
                raise TimeoutError("a message was not answered")
            self.tried_again += 1
            await asyncio.sleep(0.1)

    async def load(self, quiet: Sequence[Pair], crises: Sequence[Pair], seconds: float) -> None:
        """Therapists write at a steady rate while the patients of `crises` write once each, at moments of chance."""
        moments = [(self.rng.uniform(0, seconds), pair, True) for pair in crises]
        moments += [(number / PER_SECOND, self.rng.choice(quiet), False) for number in range(int(seconds * PER_SECOND))]
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for moment, pair, is_crisis in sorted(moments, key=lambda each: each[0]):
                await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
                who, body = (pair.patient, CRISIS) if is_crisis else (pair.therapist, CALM)
                group.create_task(self.write(pair.conversation_id, who, body))

    def shown(self, pair: Pair) -> float | None:
        """When the therapist's page first showed the alert of a conversation."""
        return self.listeners[pair.therapist_id].alerts.get(pair.conversation_id)

    async def all_shown(self, crises: Sequence[Pair], *, seconds: float = _LIMIT_SECONDS) -> None:
        """Wait until every therapist has seen the alerts of these conversations; TimeoutError when some never come."""

        async def is_so() -> bool:
            return all(self.shown(pair) is not None for pair in crises)

        await until(is_so, seconds=seconds, what="the alert of every message in crisis", pause=0.05)

    async def calls(self) -> dict[UUID, int]:
        """How many SMS the provider has taken for each therapist."""
        provider = self.practice.stack.servers.providers
        return {who: len(await asyncio.to_thread(provider.sms, to=number)) for who, number in self.phones.items()}

    async def all_called(self) -> None:
        """Wait until every therapist has an SMS for each alert that was shown; TimeoutError when some never come."""
        wanted = {who: len(self.listeners[who].alerts) for who in self.phones}

        async def is_so() -> bool:
            found = await self.calls()
            return all(found[who] >= count for who, count in wanted.items())

        await until(is_so, seconds=_LIMIT_SECONDS, what="an SMS for every alert", pause=0.2)

    def worst_seconds(self, crises: Sequence[Pair]) -> float:
        """The longest time from the answer to a message in crisis until its alert was shown."""
        shown = [(self.shown(pair), self.written[pair.conversation_id]) for pair in crises]
        return max((seen - answered for seen, answered in shown if seen is not None), default=0.0)


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Every part killed as often as asked; then messages through an API whose outbox is off, which must be noticed."""
    kills, each = LONG if long else SHORT
    rounds = [victim for victim in VICTIMS for _ in range(kills)]
    async with Practice() as practice:
        pairs = await practice.pairs(4 + len(rounds) * each, therapists=THERAPISTS)
        quiet, crises = pairs[:4], pairs[4:]
        async with practice.pages(pairs) as listeners:
            drill = Drill(practice, listeners, await _phones(practice, pairs), rng)
            return await _drilled(drill, rounds, each, quiet, crises)


async def _drilled(drill: Drill, rounds: Sequence[str], each: int, quiet: Sequence[Pair], crises: Sequence[Pair]) -> Finding:
    worst: dict[str, float] = {}
    for number, victim in enumerate(rounds):
        found = await _one_round(drill, victim, quiet, crises[number * each : (number + 1) * each])
        worst[victim] = round(max(found, worst.get(victim, 0.0)), 2)
        print(f"   {victim:<22} killed, {each} in crisis, the slowest alert after {found:6.2f} s", flush=True)
    wrong = await _differences(drill, crises)
    figures: dict[str, object] = {
        "crises": len(crises),
        "messages": drill.sent,
        "tried_again": drill.tried_again,
        "worst_seconds": worst,
    }
    return Finding(wrong, len(rounds), figures, planted_bug_seen=await _bug_is_seen(drill, quiet[0]))


async def _phones(practice: Practice, pairs: Sequence[Pair]) -> dict[UUID, str]:
    """The therapists say where SMS go: each has a number of their own."""
    url = f"http://{HOST}:{practice.stack.ports['notifications-api']}/api/notifications/phone"
    headers = {pair.therapist_id: pair.therapist for pair in pairs}
    phones = {who: f"+1202555{number:04}" for number, who in enumerate(headers, start=100)}
    for who, number in phones.items():
        answer = await practice.http.put(url, headers=dict(headers[who]), json={"number": number})
        answer.raise_for_status()
    return phones


async def _one_round(drill: Drill, victim: str, quiet: Sequence[Pair], crises: Sequence[Pair]) -> float:
    """Kill one part amid the messages, start it again, and wait for the alerts; gives the slowest, in seconds."""
    load = asyncio.create_task(drill.load(quiet, crises, _BEFORE + _DEAD + _AFTER))
    await asyncio.sleep(_BEFORE)
    component = _component(drill.practice, victim)
    await asyncio.to_thread(component.kill)
    await asyncio.sleep(_DEAD)
    await asyncio.to_thread(component.start)
    await asyncio.to_thread(component.wait_ready)
    await load
    await drill.all_shown(crises)
    await drill.all_called()
    await _acknowledged(drill, crises)
    return drill.worst_seconds(crises)


def _component(practice: Practice, name: str) -> Component:
    return next(each for each in practice.stack.components if each.name == name)


async def _acknowledged(drill: Drill, crises: Sequence[Pair]) -> None:
    """The therapists answer, so that nobody has a reason to be called again."""
    notifications = f"http://{HOST}:{drill.practice.stack.ports['notifications-api']}/api/alerts"
    for pair in crises:
        for alert_id in drill.listeners[pair.therapist_id].alert_ids[pair.conversation_id]:
            answer = await drill.practice.http.post(f"{notifications}/{alert_id}/acknowledge", headers=dict(pair.therapist))
            answer.raise_for_status()


async def _differences(drill: Drill, crises: Sequence[Pair]) -> list[str]:
    """What should not be: a message without alert, a conversation with two, a person called twice or not at all."""
    wrong = [f"no alert was shown for {pair.conversation_id}" for pair in crises if drill.shown(pair) is None]
    listeners = drill.listeners.values()
    wrong += [f"{len(ids)} alerts for one message" for one in listeners for ids in one.alert_ids.values() if len(ids) != 1]
    kept = await _kept(drill.practice)
    wrong += [f"{kept[each.conversation_id]} alerts of one crisis are kept" for each in crises if kept[each.conversation_id] != 1]
    unasked = set(kept) - {pair.conversation_id for pair in crises}
    wrong += [f"{len(unasked)} alerts about conversations without a crisis"] if unasked else []
    return wrong + await _wrong_calls(drill, crises)


async def _wrong_calls(drill: Drill, crises: Sequence[Pair]) -> list[str]:
    """The provider of SMS must have been asked once per alert, whatever was killed between asking it and noting that."""
    wanted = Counter(pair.therapist_id for pair in crises)
    found = await drill.calls()
    return [f"{found[who]} SMS for {count} alerts" for who, count in wanted.items() if found[who] != count]


async def _kept(practice: Practice) -> Counter[UUID]:
    """Alerts by conversation, as PostgreSQL has them."""
    database = practice.stack.surroundings.databases["notifications"]
    connection = await asyncpg.connect(practice.stack.postgres.url("postgres", database.name))
    try:
        alerts = await connection.fetch("select conversation_id from alerts where tenant_id = $1", practice.tenant_id)
    finally:
        await connection.close()
    return Counter(row["conversation_id"] for row in alerts)


async def _bug_is_seen(drill: Drill, pair: Pair) -> bool:
    """A message that is kept and never published calls nobody: that must show as an alert that does not come."""
    port = free_port()
    careless = drill.practice.stack.service_process(
        "messaging", "api", port=port, instance=2, settings={"MESSAGING_UNSAFE_OUTBOX_OFF": "1"}
    )
    await asyncio.to_thread(careless.start)
    await asyncio.to_thread(careless.wait_ready)
    try:
        await drill.write(pair.conversation_id, pair.patient, CRISIS, url=f"http://{HOST}:{port}/api/messages")
        await drill.all_shown([pair], seconds=8)
    except TimeoutError:
        return True
    finally:
        await asyncio.to_thread(careless.kill)
    return False
