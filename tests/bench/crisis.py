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

RATES, HIGH_RISK_SHARE = (25, 50, 100), 0.05
"""Messages a second; the goals are for the last, the others show up to where a machine keeps them."""
PAIRS, THERAPISTS = 20, 10
_WARM_UP_SECONDS = 2.0
_LIMIT_SECONDS = 60.0
_BUSY, _RETRY_SECONDS = 503, 0.2


async def message_to_socket(*, long: bool) -> list[Row]:
    """Milliseconds from asking to send a message until the other person's page has it, at each of the rates."""
    rounds, seconds = (5, 30.0) if long else (3, 10.0)
    rows: list[Row] = []
    async with Practice() as practice:
        pairs = await practice.pairs(PAIRS, therapists=THERAPISTS)
        async with practice.pages(pairs) as listeners:
            for rate in RATES:
                writers = Writers(practice)
                found = [await _pushed(writers, pairs, listeners, seconds, rate=rate) for _ in range(rounds)]
                what = f"POST to the other person's socket at {rate}/s"
                rows += _rows("message-to-socket", what, found, rate=rate, most=25, refused=writers.refused)
    return rows


async def commit_to_alert(*, long: bool) -> list[Row]:
    """Milliseconds from the answer to a message in crisis until the therapist's page shows the alert, at each of the rates."""
    rounds, seconds = (5, 30.0) if long else (3, 12.0)
    crises = {rate: int(rate * seconds * HIGH_RISK_SHARE) for rate in RATES}
    rows: list[Row] = []
    async with Practice() as practice:
        pairs = await practice.pairs(PAIRS + rounds * sum(crises.values()), therapists=THERAPISTS)
        quiet, waiting = pairs[:PAIRS], pairs[PAIRS:]
        async with practice.pages(pairs) as listeners:
            for rate in RATES:
                writers, found = Writers(practice), list[list[float]]()
                for _ in range(rounds):
                    now, waiting = waiting[: crises[rate]], waiting[crises[rate] :]
                    found.append(await _alerted(writers, quiet, now, listeners, seconds, rate=rate))
                what = f"commit to the therapist's alert at {rate}/s, {HIGH_RISK_SHARE:.0%} high risk"
                rows += _rows("commit-to-alert", what, found, rate=rate, most=150, refused=writers.refused)
    return rows


def _rows(id_: str, what: str, found: Sequence[Sequence[float]], *, rate: int, most: int, refused: int) -> list[Row]:
    """The medians of the rounds; the rate stands in the ids of all rows but those with the goal's own rate."""
    p50s, p99s = ([percentile(each, share) for each in found] for share in (0.5, 0.99))
    p50, p99 = statistics.median(p50s), statistics.median(p99s)
    detail: dict[str, object] = {
        "rounds_p50": spread(p50s),
        "rounds_p99": spread(p99s),
        "measured": sum(map(len, found)),
        "worst": round(max(map(max, found)), 1),
        "refused": refused,
    }
    name = id_ if rate == RATES[-1] else f"{id_}-{rate}"
    return [
        Row(name, f"{what}, p50", round(p50, 2), "ms", "-", True, detail),
        Row(f"{name}-p99", f"{what}, p99", round(p99, 2), "ms", f"<= {most}", p99 <= most, detail),
    ]


class Writers:
    """Those who write messages, over kept connections; a message that is refused is sent again, as a client would."""

    def __init__(self, practice: Practice) -> None:
        self.refused = 0
        self._connections = KeptConnections(practice.stack.ports["messaging-api"])

    async def send(self, pair: Pair, body: str, *, by_patient: bool) -> tuple[UUID, float, float]:
        """Send one message: its id, when it was first asked for, and when it was taken; RuntimeError when it never is."""
        message_id = uuid4()
        message = {"conversationId": str(pair.conversation_id), "id": str(message_id), "body": body}
        headers = dict(pair.patient if by_patient else pair.therapist)
        asked = time.monotonic()
        while (status := await self._connections.ask("POST", "/api/messages", headers, json.dumps(message))) != 201:
            if status != _BUSY or time.monotonic() - asked > _LIMIT_SECONDS:
                raise RuntimeError(f"a message was answered with {status}")
            self.refused += 1
            await asyncio.sleep(_RETRY_SECONDS)
        return message_id, asked, time.monotonic()


async def _pushed(
    writers: Writers,
    pairs: Sequence[Pair],
    listeners: dict[UUID, Listener],
    seconds: float,
    *,
    rate: int,
    warm_up: float = _WARM_UP_SECONDS,
) -> list[float]:
    sent: dict[UUID, tuple[UUID, float]] = {}
    began = time.monotonic()

    async def one(pair: Pair) -> None:
        message_id, asked, _ = await writers.send(pair, CALM, by_patient=True)
        sent[message_id] = (pair.therapist_id, asked)

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * (warm_up + seconds))):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            group.create_task(one(pairs[number % len(pairs)]))

    async def all_there() -> bool:
        return all(message_id in listeners[who].messages for message_id, (who, _) in sent.items())

    await until(all_there, seconds=_LIMIT_SECONDS, what="the push of every message")
    counted = {message_id: each for message_id, each in sent.items() if each[1] - began > warm_up}
    found = [(listeners[who].messages[message_id] - asked) * 1000 for message_id, (who, asked) in counted.items()]
    _tell(f"{rate}/s, {len(found)} messages", found)
    return found


async def _alerted(
    writers: Writers,
    quiet: Sequence[Pair],
    crises: Sequence[Pair],
    listeners: dict[UUID, Listener],
    seconds: float,
    *,
    rate: int,
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
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            if number % every == every - 1 and waiting:
                group.create_task(one(waiting.pop(), CRISIS))
            else:
                group.create_task(one(quiet[number % len(quiet)], CALM))
    alerted = [pair for pair in crises if pair.conversation_id in answered]

    async def all_shown() -> bool:
        return all(pair.conversation_id in listeners[pair.therapist_id].alerts for pair in alerted)

    await until(all_shown, seconds=_LIMIT_SECONDS, what="the alert of every message in crisis")
    found = [(listeners[p.therapist_id].alerts[p.conversation_id] - answered[p.conversation_id]) * 1000 for p in alerted]
    _tell(f"{rate}/s, {len(found)} alerts", found)
    return found


def _tell(what: str, found: Sequence[float]) -> None:
    print(f"   {what}: p50 {percentile(found, 0.5):.1f} ms, p99 {percentile(found, 0.99):.1f} ms", flush=True)
