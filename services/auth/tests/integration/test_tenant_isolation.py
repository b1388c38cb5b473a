"""Every table shows and takes rows of the transaction's own tenant only."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from service_kit.testing import as_tenant, assert_tenant_isolated

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)


USER = """insert into users (tenant_id, id, email, role, status, created_at, revision)
          values ($1, $2, $2::uuid::text || '@example.test', 'PATIENT', 'active', $3, 1)"""


@pytest.fixture
def insert(auth_database, service):
    """Writers of one row of each table; what a row refers to is there before, so that only its own table can refuse it."""

    async def tenant(tenant_id: UUID) -> None:
        owner = await asyncpg.connect(auth_database.owner_url)
        statement = "insert into tenants values ($1, 't-' || left($1::uuid::text, 8), 'A practice', $2) on conflict do nothing"
        await owner.execute(statement, tenant_id, NOW)
        await owner.close()

    async def user(tenant_id: UUID) -> UUID:
        await tenant(tenant_id)
        user_id = uuid4()
        async with as_tenant(service.pool, tenant_id) as own:
            await own.execute(USER, tenant_id, user_id, NOW)
        return user_id

    async def users(connection, tenant_id: UUID) -> None:
        await tenant(tenant_id)
        await connection.execute(USER, tenant_id, uuid4(), NOW)

    async def accounts(connection, tenant_id: UUID) -> None:
        statement = "insert into accounts values ($1, $2, $3, 'password', null, 'a hash', $4, $4)"
        await connection.execute(statement, tenant_id, uuid4(), await user(tenant_id), NOW)

    async def two_factors(connection, tenant_id: UUID) -> None:
        statement = "insert into two_factors values ($1, $2, $3, 'totp', 'sealed', null, null, $4)"
        await connection.execute(statement, tenant_id, uuid4(), await user(tenant_id), NOW)

    async def sessions(connection, tenant_id: UUID) -> None:
        statement = "insert into sessions values ($1, $2, $3, $4, 1, $5, $5, $5, $5, null, null)"
        await connection.execute(statement, tenant_id, uuid4(), await user(tenant_id), b"s" * 32, NOW)

    async def invitations(connection, tenant_id: UUID) -> None:
        statement = "insert into invitations values ($1, $2, 'kim@example.test', $3, $4, $4, null, null)"
        await connection.execute(statement, tenant_id, uuid4(), await user(tenant_id), NOW)

    async def sign_in_tries(connection, tenant_id: UUID) -> None:
        await tenant(tenant_id)
        statement = "insert into sign_in_tries values ($1, $2, 1, $3, null)"
        await connection.execute(statement, tenant_id, uuid4().bytes * 2, NOW)

    async def idempotency_keys(connection, tenant_id: UUID) -> None:
        statement = "insert into idempotency_keys values ($1, $2, 'POST /x', 'k', 'h', 201, $4, '{}', $3)"
        await connection.execute(statement, tenant_id, uuid4(), NOW, {})

    writers = (users, accounts, two_factors, sessions, invitations, sign_in_tries, idempotency_keys)
    return {writer.__name__: writer for writer in writers}


TABLES = ["users", "accounts", "two_factors", "sessions", "invitations", "sign_in_tries", "idempotency_keys"]


@pytest.mark.promise("AU9")
@pytest.mark.parametrize("table", TABLES)
async def test_another_tenant_reads_and_writes_nothing(service, insert, table):
    assert insert.keys() == set(TABLES)
    await assert_tenant_isolated(service.pool, table, insert[table])


async def test_every_table_forces_row_security(service):
    async with service.pool.acquire() as connection:
        rows = await connection.fetch(
            """select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
               and not (relrowsecurity and relforcerowsecurity) order by relname"""
        )

    # The inbox holds event ids only; migrations belong to the owner.
    assert {row["relname"] for row in rows} <= {"inbox", "relay_lease", "schema_migrations"}


async def test_a_tenant_is_found_by_its_short_name_and_tenants_cannot_be_listed(service):
    async with service.pool.acquire() as connection, connection.transaction():
        assert await connection.fetch("select id from tenants") == []
        await connection.execute("select set_config('app.tenant_slug', $1, true)", service.slug)
        assert [row["id"] for row in await connection.fetch("select id from tenants")] == [service.tenant_id]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into tenants values (gen_random_uuid(), 'mine', 'Mine', now())",
        "update tenants set name = 'Mine'", "delete from tenants", "delete from users", "delete from sessions",
        "alter table users disable row level security", "create table t (id int)", "set role auth_owner",
        "select * from outbox", "truncate users",
    ],
)  # fmt: skip
async def test_the_application_role_may_not(service, statement):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with as_tenant(service.pool, service.tenant_id) as connection:
            await connection.execute(statement)


async def test_a_session_of_one_tenant_is_nobodys_in_another(service, start_service):
    other = await start_service()
    device, stranger = await service.patient(), await other.patient()

    async with as_tenant(service.pool, other.tenant_id) as connection:
        seen = await connection.fetch("select id::text from users where id = $1", device.user["id"])

    assert seen == []
    assert (await stranger.get("/api/users/me")).json()["id"] == stranger.user["id"]
    assert (await other.device().sign_in(device.user["email"])).status_code == 401
