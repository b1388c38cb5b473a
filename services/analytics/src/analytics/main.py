"""Composition root of the API: settings in, wired app out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from analytics.clients.stats_cache import StatsCache
from analytics.dependencies import FEED, STATS_CACHE
from analytics.routes.admin import admin
from analytics.routes.dashboard import dashboard
from analytics.routes.series import series
from analytics.routes.stream import stream
from analytics.settings import Settings
from analytics.use_cases.feed import Feed
from analytics.use_cases.following import FeedUpkeep
from bloom_events.ids import TenantId, new_id
from service_kit.errors import ServiceUnavailable
from service_kit.http_app import create_service_app
from service_kit.request_scope import Kit
from service_kit.unit_of_work import Context, UnitOfWork


def create_app(settings: Settings) -> FastAPI:
    """The API of windowed results."""

    @asynccontextmanager
    async def cache(app: FastAPI) -> AsyncIterator[None]:
        kept = StatsCache(settings.valkey_url)
        app.state.kit.resources[STATS_CACHE] = kept
        try:
            yield
        finally:
            await kept.close()

    @asynccontextmanager
    async def feed(app: FastAPI) -> AsyncIterator[None]:
        followed = _feed(app.state.kit, settings)
        app.state.kit.resources[FEED] = followed
        looking = asyncio.create_task(FeedUpkeep(followed, settings.database_url, app.state.kit.clock).run())
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    return create_service_app(
        settings,
        title="Bloom analytics",
        description="Windowed results over the events of all services: counts, sums and percentiles, never a person."
        " All times are UTC.",
        routers=[series, stream, dashboard, admin],
        resources=[cache, feed],
    )


def _feed(kit: Kit, settings: Settings) -> Feed:
    def unit_of(tenant_id: TenantId) -> UnitOfWork:
        if kit.database is None:
            raise ServiceUnavailable
        return UnitOfWork(kit.database, source=settings.source, context=Context(tenant_id, new_id()), clock=kit.clock)

    return Feed(
        unit_of,
        most_per_person=settings.streams_per_person,
        most=settings.streams_per_process,
        most_at_once=settings.stream_changes_at_once,
    )
