"""Trying messages whose key could not be had: each round takes what is due, of every organisation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bloom_events.ids import TenantId
from ml_scoring.clients import meters
from ml_scoring.domain.waiting import Received, Waiting
from ml_scoring.repository.waiting import WaitingFigures, WaitingRepository, tenants_with_due, waiting_figures
from ml_scoring.use_cases.scoring import CONSUMER, Examined, ScoringTools, count, examine, write_findings
from service_kit import inbox

TRIED_AT_ONCE = 64
"""Messages of one organisation per round, so that others get their turn."""

ORGANISATIONS_AT_ONCE = 4
"""Each takes a connection of the pool for a moment, and batches need theirs."""

PATIENCE_SECONDS = 2.0
"""How long a round waits for keys: longer than a batch does, for it holds nobody up."""


async def try_waiting(tools: ScoringTools) -> WaitingFigures:
    """Try every organisation's due messages once, if there is a model to score them; gives how much still waits."""
    pool = await tools.pool()
    if tools.shelf.is_ready:
        await _try_all(tools, await tenants_with_due(pool, tools.clock()))
    figures = await waiting_figures(pool)
    meters.WAITING_MESSAGES.set(figures.waiting)
    waited = (tools.clock() - figures.oldest).total_seconds() if figures.oldest else 0.0
    meters.WAITING_OLDEST_SECONDS.set(max(0.0, waited))
    return figures


async def _try_all(tools: ScoringTools, tenants: Sequence[TenantId]) -> None:
    """Some organisations at a time: one whose keys are slow must not hold up the others."""
    places = asyncio.Semaphore(ORGANISATIONS_AT_ONCE)

    async def in_turn(tenant_id: TenantId) -> None:
        async with places:
            await _try_theirs(tools, tenant_id)

    try:
        async with asyncio.TaskGroup() as group:
            for tenant_id in tenants:
                group.create_task(in_turn(tenant_id))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _try_theirs(tools: ScoringTools, tenant_id: TenantId) -> None:
    unit = await tools.unit_of(tenant_id)
    async with unit.begin() as transaction:
        claimed = await WaitingRepository(transaction.connection).claim(tools.clock(), TRIED_AT_ONCE)
    examined = await examine(tools, [each.received for each in claimed], patience_seconds=PATIENCE_SECONDS)
    await _record(tools, tenant_id, claimed, examined)
    if examined.refused:
        await _refuse(tools, tenant_id, examined.refused)


async def _record(tools: ScoringTools, tenant_id: TenantId, claimed: Sequence[Waiting], examined: Examined) -> None:
    """End the wait of what was found, and let the rest wait on."""
    still_without = {each.cause.id for each in examined.without_key}
    unit = await tools.unit_of(tenant_id)
    async with unit.begin() as transaction:
        waiting = WaitingRepository(transaction.connection)
        ended = await waiting.remove([each.cause.id for each in examined.findings])
        fresh = [each for each in examined.findings if each.cause.id in ended]
        await write_findings(transaction, fresh)
        later = [each.again(tools.clock()) for each in claimed if each.received.cause.id in still_without]
        if later:
            await waiting.postpone(later)
        tools.failpoint("before-commit")
    count(fresh, tools.clock())


async def _refuse(tools: ScoringTools, tenant_id: TenantId, refused: Sequence[tuple[Received, str]]) -> None:
    """Park what can never be handled; a redrive finds it as if it had never been taken."""
    for received, reason in refused:
        await tools.park(received, reason)
    ids = [received.cause.id for received, _ in refused]
    unit = await tools.unit_of(tenant_id)
    async with unit.begin() as transaction:
        await WaitingRepository(transaction.connection).remove(ids)
        await inbox.forget(transaction.connection, CONSUMER, ids)
