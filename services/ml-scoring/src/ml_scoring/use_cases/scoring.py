"""Scoring what people write: a batch is examined, which has no effect, and what was found is then written in one transaction."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, cast

from bloom_events.ids import EventId, TenantId
from bloom_events.messaging import SealedMessageEvent
from ml_scoring.clients import meters
from ml_scoring.clients.conversation_keys import ConversationKeys, Key, KeyId, NoKey
from ml_scoring.clients.model_shelf import ModelShelf, Serving
from ml_scoring.clients.seals import SealBroken, unseal
from ml_scoring.domain.analyses import KEY_DESTROYED, Finding, Found, Unreadable, Withdrawn, advance, changed_at
from ml_scoring.domain.scores import Score
from ml_scoring.domain.waiting import Received, Waiting
from ml_scoring.repository.analyses import AnalysisRepository
from ml_scoring.repository.waiting import WaitingRepository
from service_kit import inbox
from service_kit.database import Pool
from service_kit.errors import ServiceUnavailable
from service_kit.failpoints import Failpoint, no_failpoint
from service_kit.unit_of_work import Caused, Clock, Transaction, UnitOfWork, utc_now

CONSUMER = "ml-scoring"
"""The name under which the inbox remembers what was handled here."""

SEAL_BROKEN = "the seal of the text is broken"
"""Why a message is parked that is not what its author's service sealed."""

FAILPOINTS = ("after-scores", "before-commit", "after-commit")
"""Where kill tests end the worker."""

Caught = TypeVar("Caught", Finding, Received)

Park = Callable[[Received, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringTools:
    """What scoring works with."""

    keys: ConversationKeys
    shelf: ModelShelf
    pool: Callable[[], Awaitable[Pool]]
    unit_of: Callable[[TenantId], Awaitable[UnitOfWork]]
    park: Park
    clock: Clock = utc_now
    failpoint: Failpoint = no_failpoint


@dataclass(slots=True)
class Examined:
    """What a batch came to, in its order: findings, messages whose key is not to be had now, and what can never be handled."""

    findings: list[Finding] = field(default_factory=list)
    without_key: list[Received] = field(default_factory=list)
    refused: list[tuple[Received, str]] = field(default_factory=list)


async def skip_seen(tools: ScoringTools, received: Sequence[Received]) -> list[Received]:
    """Leave out what was handled before and what comes twice: a replay of the topic must not cost a score each."""
    once = {each.cause.id: each for each in received}
    async with (await tools.pool()).acquire() as connection:
        seen = await inbox.seen(connection, CONSUMER, list(once))
    return [each for event_id, each in once.items() if event_id not in seen]


async def examine(tools: ScoringTools, received: Sequence[Received], *, patience_seconds: float | None = None) -> Examined:
    """Get the keys, unseal and score; nothing is written."""
    await tools.shelf.start()
    wanted = {each.cause.id: key_id for each in received if (key_id := _key_id(each)) is not None}
    keys = await tools.keys.find(wanted.values(), patience_seconds=patience_seconds)
    examined, readable, found = Examined(), list[tuple[Received, str]](), dict[EventId, Found]()
    for each in received:
        key_id = wanted.get(each.cause.id)
        match _opened(each, keys[key_id]) if key_id else Withdrawn():
            case NoKey():
                examined.without_key.append(each)
            case str() as text:
                readable.append((each, text))
            case SealBroken():
                examined.refused.append((each, SEAL_BROKEN))
            case Unreadable() | Withdrawn() as outcome:
                found[each.cause.id] = outcome
    found |= await _scored(tools, readable)
    now = tools.clock()
    examined.findings = [
        Finding(each.cause, found[each.cause.id], each.received_at, now, each.traceparent)
        for each in received
        if each.cause.id in found
    ]
    tools.failpoint("after-scores")
    return examined


async def record(tools: ScoringTools, examined: Examined) -> datetime | None:
    """Write what was found, each event once: one transaction per organisation; gives when a message is to be tried again."""
    findings, without_key = by_tenant(examined.findings), by_tenant(examined.without_key)
    try:
        async with asyncio.TaskGroup() as group:
            recorded = [
                group.create_task(_record_of_one(tools, tenant_id, findings[tenant_id], without_key[tenant_id]))
                for tenant_id in findings.keys() | without_key.keys()
            ]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    tools.failpoint("after-commit")
    return min((each.next_try_at for task in recorded for each in task.result()), default=None)


async def write_findings(transaction: Transaction, findings: Sequence[Finding]) -> None:
    """Bring analyses up to date and tell of it, within the transaction of whoever took the events."""
    if not findings:
        return
    repository = AnalysisRepository(transaction.connection)
    step = advance(await repository.lock(sorted({each.change.message_id for each in findings})), findings)
    if not step.analyses:
        return
    if await repository.save(step.analyses) < len(step.analyses):
        raise ServiceUnavailable("Another worker was faster with one of these messages.")
    await transaction.publish_caused([Caused(event, finding.cause, finding.traceparent) for finding, event in step.told])


def count(findings: Iterable[Finding], now: datetime) -> None:
    """Tell the metrics what has been written."""
    for finding in findings:
        match finding.found:
            case Score() as score:
                meters.outcome(score.level)()
                meters.MODEL_SECONDS.observe(score.milliseconds / 1000)
                meters.SCORE_AGE_SECONDS.observe((now - changed_at(finding.change)).total_seconds())
            case Unreadable(reason):
                meters.outcome("unreadable")()
                meters.UNREADABLE.labels(reason).inc()
            case Withdrawn():
                meters.outcome("withdrawn")()


async def _record_of_one(
    tools: ScoringTools, tenant_id: TenantId, findings: Sequence[Finding], without_key: Sequence[Received]
) -> list[Waiting]:
    unit = await tools.unit_of(tenant_id)
    async with unit.begin() as transaction:
        ids = [each.cause.id for each in findings] + [each.cause.id for each in without_key]
        new = await inbox.first_times(transaction.connection, CONSUMER, ids)
        fresh = [each for each in findings if each.cause.id in new]
        await write_findings(transaction, fresh)
        waiting = [Waiting.begin(each, tools.clock()) for each in without_key if each.cause.id in new]
        if waiting:
            await WaitingRepository(transaction.connection).add(waiting)
        tools.failpoint("before-commit")
    count(fresh, tools.clock())
    return waiting


def by_tenant(caused: Iterable[Caught]) -> defaultdict[TenantId, list[Caught]]:
    """The same by organisation, each in its order."""
    theirs: defaultdict[TenantId, list[Caught]] = defaultdict(list)
    for each in caused:
        theirs[each.cause.tenant_id].append(each)
    return theirs


def _opened(received: Received, key: Key) -> str | NoKey | SealBroken | Unreadable:
    if key is NoKey.DESTROYED:
        return Unreadable(KEY_DESTROYED)
    if isinstance(key, NoKey):
        return key
    try:
        return unseal(cast("SealedMessageEvent", received.cause.data), key)
    except SealBroken as broken:
        return broken


async def _scored(tools: ScoringTools, readable: Sequence[tuple[Received, str]]) -> dict[EventId, Found]:
    """Score each text alone, with the model of its organisation."""
    by_model: defaultdict[int, list[tuple[Received, str]]] = defaultdict(list)
    servings: dict[int, Serving] = {}
    for received, text in readable:
        serving = tools.shelf.serving(received.cause.tenant_id)
        servings[id(serving)] = serving
        by_model[id(serving)].append((received, text))
    scored = await asyncio.gather(
        *(servings[model].pool.score_all([text for _, text in theirs]) for model, theirs in by_model.items())
    )
    return {
        received.cause.id: score if isinstance(score, Score) else Unreadable(score.slug)
        for theirs, scores in zip(by_model.values(), scored, strict=True)
        for (received, _), score in zip(theirs, scores, strict=True)
    }


def _key_id(received: Received) -> KeyId | None:
    """The key that a text is sealed with; a deletion has no text."""
    message = received.cause.data
    version = getattr(message, "key_version", None)
    return KeyId(received.cause.tenant_id, message.conversation_id, version) if version is not None else None
