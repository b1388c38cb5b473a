"""Organisations: found by short name, made by command."""

from datetime import datetime

from auth.repository.tenants import TenantRepository
from bloom_events.ids import TenantId, new_id
from service_kit.database import Connection, Pool

# As long as a unit of work waits for a connection.
ACQUIRE_SECONDS = 2.0


async def find_tenant(database: Pool, slug: str) -> TenantId | None:
    async with database.acquire(timeout=ACQUIRE_SECONDS) as connection:
        return await TenantRepository(connection).find_id(slug)


async def create_tenant(owner: Connection, *, slug: str, name: str, now: datetime) -> TenantId:
    """Needs a connection of the owner role: the application cannot make tenants."""
    tenant_id = TenantId(new_id())
    async with owner.transaction():
        await TenantRepository(owner).add(tenant_id=tenant_id, slug=slug, name=name, created_at=now)
    return tenant_id
