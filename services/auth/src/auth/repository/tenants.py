"""Tenants: looked up by short name by anybody who knows it, made by the owner role only."""

from datetime import datetime

import asyncpg

from auth.domain.outcomes import TenantAlreadyExists
from bloom_events.ids import TenantId
from service_kit.database import Connection


class TenantRepository:
    """Reads need no tenant set: the short name itself opens its row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find_id(self, slug: str) -> TenantId | None:
        async with self._connection.transaction():
            await self._connection.execute("select set_config('app.tenant_slug', $1, true)", slug)
            found = await self._connection.fetchval("select id from tenants where slug = $1", slug)
        return TenantId(found) if found else None

    async def add(self, *, tenant_id: TenantId, slug: str, name: str, created_at: datetime) -> None:
        try:
            await self._connection.execute(
                "insert into tenants (id, slug, name, created_at) values ($1, $2, $3, $4)", tenant_id, slug, name, created_at
            )
        except asyncpg.UniqueViolationError:
            raise TenantAlreadyExists from None
