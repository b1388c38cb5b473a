"""The numbers of administrators: from the cache while they are young, counted otherwise."""

from __future__ import annotations

from datetime import datetime

from analytics.clients.stats_cache import StatsCache
from analytics.domain.stats import WEEK, Stats
from analytics.repository.stats import count_people
from service_kit.unit_of_work import UnitOfWork


async def read_stats(uow: UnitOfWork, cache: StatsCache, *, now: datetime) -> Stats:
    """The numbers of the tenant, counted within the last five minutes."""
    tenant_id = uow.context.tenant_id
    kept = await cache.find(tenant_id)
    if kept is not None:
        return kept
    async with uow.begin() as transaction:
        stats = await count_people(transaction.connection, since=now - WEEK, now=now)
    await cache.keep(tenant_id, stats)
    return stats
