"""Rows about the crisis path: from a message to the other person's page, and from one in crisis to the therapist's alert."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

from tests.bench.http_load import KeptConnections
from tests.bench.measure import percentile, spread
from tests.faults.practice import CALM, CRISIS, Listener, Pair, Practice
from tests.faults.row import until

from tools.results import Row

PER_SECOND, HIGH_RISK_SHARE = 100, 0.05
PAIRS, THERAPISTS = 20, 10
_WARM_UP_SECONDS = 2.0
_LIMIT_SECONDS = 60.0


async def message_to_socket(*, long: bool) -> list[Row]:
    """Milliseconds from asking to send a message until the other person's page has it, at 100 messages a second."""
    rounds, seconds = (5, 30.0) if long else (3, 10.0)
    async with Practice() as practice:
        pairs = await practice.pairs(PAIRS, therapists=THERAPISTS)
        async with practice.pages(pairs) as listeners:
            found = [await _pushed(Writers(practice), pairs, listeners, seconds) for _ in range(rounds)]
    p50 = statistics.median(percentile(each, 0.5) for each in found)
    p99 = statistics.median(percentile(each, 0.99) for each in found)
    detail: dict[str, object] = {
        "rounds_p50": spread([percentile(each, 0.5) for each in found]),
        "rounds_p99": spread([percentile(each, 0.99) for each in found]),
        "messages": sum(map(len, found)),
    }
    name = f"POST to the other person's socket at {PER_SECOND}/s"
    return [
        Row("message-to-socket", f"{name}, p50", round(p50, 2), "ms", "-", True, detail),
        Row("message-to-socket-p99", f"{name}, p99", round(p99, 2), "ms", "<= 25", p99 <= 25, detail),
    ]


async def commit_to_alert(*, long: bool) -> list[Row]:
    """Milliseconds from the answer to a message in crisis until the therapist's page shows the alert, at 100 a second."""
    rounds, seconds = (5, 30.0) if long else (3, 12.0)
    crises = int(PER_SECOND * seconds * HIGH_RISK_SHARE)
    async with Practice() as practice:
        pairs = await practice.pairs(PAIRS + rounds * crises, therapists=THERAPISTS)
        async with practice.pages(pairs) as listeners:
            found: list[list[float]] = []
            for number in range(rounds):
                first = PAIRS + number * crises
                found.append(await _alerted(Writers(practice), pairs[:PAIRS], pairs[first : first + crises], listeners, seconds))
                print(f"   round {number + 1} of {rounds}: p99 {percentile(found[-1], 0.99):.1f} ms", flush=True)
    p50 = statistics.median(percentile(each, 0.5) for each in found)
    p99 = statistics.median(percentile(each, 0.99) for each in found)
    detail: dict[str, object] = {
        "rounds_p50": spread([percentile(each, 0.5) for each in found]),
        "rounds_p99": spread([percentile(each, 0.99) for each in found]),
        "alerts": sum(map(len, found)),
        "worst": round(max(map(max, found)), 1),
    }
    name = f"commit to the therapist's alert at {PER_SECOND}/s, {HIGH_RISK_SHARE:.0%} high risk"
    return [
        Row("commit-to-alert", f"{name}, p50", round(p50, 1), "ms", "-", True, detail),
        Row("commit-to-alert-p99", f"{name}, p99", round(p99, 1), "ms", "<= 150", p99 <= 150, detail),
    ]


class Writers:
    """Those who write messages, over kept connections."""

    def __init__(self, practice: Practice) -> None:
        self._connections = KeptConnections(practice.stack.ports["messaging-api"])

    async def send(self, pair: Pair, body: str, *, by_patient: bool) -> tuple[UUID, float, float]:
        """Send one message: its id, and when it was asked for and answered."""
        message_id = uuid4()
        message = {"conversationId": str(pair.conversation_id), "id": str(message_id), "body": body}
        headers = dict(pair.patient if by_patient else pair.therapist)
        asked = time.monotonic()
        status = await self._connections.ask("POST", "/api/messages", headers, json.dumps(message))
        if status != 201:
            raise RuntimeError(f"a message was answered with {status}")
        return message_id, asked, time.monotonic()


async def _pushed(
    writers: Writers,
    pairs: Sequence[Pair],
    listeners: dict[UUID, Listener],
    seconds: float,
    *,
    warm_up: float = _WARM_UP_SECONDS,
) -> list[float]:
    sent: dict[UUID, tuple[UUID, float]] = {}
    began = time.monotonic()

    async def one(pair: Pair) -> None:
        message_id, asked, _ = await writers.send(pair, CALM, by_patient=True)
        sent[message_id] = (pair.therapist_id, asked)

    async with asyncio.TaskGroup() as group:
        for number in range(int(PER_SECOND * (warm_up + seconds))):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            group.create_task(one(pairs[number % len(pairs)]))

    async def all_there() -> bool:
        return all(message_id in listeners[who].messages for message_id, (who, _) in sent.items())

    await until(all_there, seconds=_LIMIT_SECONDS, what="the push of every message")
    counted = {message_id: each for message_id, each in sent.items() if each[1] - began > warm_up}
    found = [(listeners[who].messages[message_id] - asked) * 1000 for message_id, (who, asked) in counted.items()]
    print(f"   {len(found)} messages: p50 {percentile(found, 0.5):.1f} ms, p99 {percentile(found, 0.99):.1f} ms", flush=True)
    return found


async def _alerted(
    writers: Writers, quiet: Sequence[Pair], crises: Sequence[Pair], listeners: dict[UUID, Listener], seconds: float
) -> list[float]:
    """Each of `crises` writes once, spread evenly among the messages of the others."""
    answered: dict[UUID, float] = {}
    every = int(1 / HIGH_RISK_SHARE)
    waiting = list(crises)
    began = time.monotonic()

    async def one(pair: Pair, body: str) -> None:
        _, _, at = await writers.send(pair, body, by_patient=body == CRISIS)
        if body == CRISIS:
            answered[pair.conversation_id] = at

    async with asyncio.TaskGroup() as group:
        for number in range(int(PER_SECOND * seconds)):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            if number % every == every - 1 and waiting:
                group.create_task(one(waiting.pop(), CRISIS))
            else:
                group.create_task(one(quiet[number % len(quiet)], CALM))
    alerted = [pair for pair in crises if pair.conversation_id in answered]

    async def all_shown() -> bool:
        return all(pair.conversation_id in listeners[pair.therapist_id].alerts for pair in alerted)

    await until(all_shown, seconds=_LIMIT_SECONDS, what="the alert of every message in crisis")
    return [(listeners[p.therapist_id].alerts[p.conversation_id] - answered[p.conversation_id]) * 1000 for p in alerted]
