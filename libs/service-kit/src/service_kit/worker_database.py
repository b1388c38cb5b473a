"""The database of a worker: one pool, opened when the first event needs it and closed when the worker stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from uuid import UUID

import faust

from bloom_events.envelope import Envelope
from bloom_events.ids import TenantId, new_id
from service_kit import inbox
from service_kit.database import Pool, create_pool
from service_kit.settings import ServiceSettings
from service_kit.unit_of_work import Context, UnitOfWork

UnitOfWorkFor: TypeAlias = Callable[[Envelope[Any]], Awaitable[UnitOfWork]]
"""Gives the unit of work in which an event is handled: the event's tenant and correlation, the event as the cause."""


class WorkerDatabase:
    """The pool of one Faust app. Making it asks nothing of PostgreSQL, so the app starts without it."""

    def __init__(self, app: faust.App, settings: ServiceSettings) -> None:
        if settings.unsafe_inbox_off:
            inbox.switch_off_for_fault_tests()
        self._app = app
        self._settings = settings
        self._opened: list[Pool] = []
        self._opening = asyncio.Lock()

    async def pool(self) -> Pool:
        """The pool, opened the first time."""
        async with self._opening:
            if not self._opened:
                settings = self._settings
                name = f"{settings.service_name}-worker"
                made = await create_pool(settings.database_url, size=settings.database_pool_size, application_name=name)
                self._opened.append(await self._app.add_async_context(made))
        return self._opened[0]

    async def unit_for(self, cause: Envelope[Any]) -> UnitOfWork:
        """The unit of work in which one event is handled."""
        return await self._unit(Context(cause.tenant_id, cause.correlation_id, cause.id))

    async def unit_of(self, tenant_id: TenantId, correlation_id: UUID | None = None) -> UnitOfWork:
        """A unit of work of a tenant that no single event causes: a batch, or a chore, which may go on with a correlation."""
        return await self._unit(Context(tenant_id, correlation_id or new_id()))

    async def _unit(self, context: Context) -> UnitOfWork:
        settings = self._settings
        return UnitOfWork(
            await self.pool(),
            source=settings.source,
            context=context,
            publishes=not settings.unsafe_outbox_off,
            acquire_seconds=settings.database_acquire_seconds,
        )


def units_of_work(app: faust.App, settings: ServiceSettings) -> UnitOfWorkFor:
    """Units of work of a Faust app's handlers."""
    return WorkerDatabase(app, settings).unit_for
