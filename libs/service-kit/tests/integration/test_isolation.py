"""Tenants do not see each other, whatever the table, and the service's role cannot lift the barrier."""

from uuid import uuid4

import asyncpg
import pytest

from service_kit.testing import as_tenant, assert_tenant_isolated


async def insert_note(connection, tenant_id):
    await connection.execute("insert into notes (id, tenant_id, text) values ($1, $2, 'a')", uuid4(), tenant_id)


async def insert_key(connection, tenant_id):
    await connection.execute(
        "insert into idempotency_keys (tenant_id, subject, route, key, request_hash, status, headers, body)"
        " values ($1, $2, 'POST /notes', 'k', '\\x00', 201, '{}', '')",
        tenant_id,
        uuid4(),
    )


OUTBOX_ROW = (
    "insert into outbox (event_id, tenant_id, topic, type, key, headers, payload, timestamp_ms)"
    " values ($1, $2, 'bloom.users.v1', 'user.registered.v1', '\\x00', '', '\\x00', 0)"
)


@pytest.mark.parametrize(("table", "insert"), [("notes", insert_note), ("idempotency_keys", insert_key)])
async def test_another_tenant_reads_and_writes_nothing(pool, table, insert):
    await assert_tenant_isolated(pool, table, insert)


async def test_an_event_can_be_published_for_ones_own_tenant_only_and_never_read(pool):
    mine, other = uuid4(), uuid4()
    async with as_tenant(pool, mine) as connection:
        await connection.execute(OUTBOX_ROW, uuid4(), mine)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with as_tenant(pool, mine) as connection:
            await connection.execute(OUTBOX_ROW, uuid4(), other)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with as_tenant(pool, mine) as connection:
            await connection.fetch("select * from outbox")


async def test_the_check_notices_a_table_without_row_security(pool, owner):
    async with owner.acquire() as connection:
        await connection.execute("create table open_notes (id uuid, tenant_id uuid not null, text text)")
        await connection.execute("grant select, insert, update, delete on open_notes to sample_app")

    async def insert(connection, tenant_id) -> None:
        await connection.execute("insert into open_notes values ($1, $2, 'a')", uuid4(), tenant_id)

    with pytest.raises(AssertionError, match="open_notes: another tenant reads the row"):
        await assert_tenant_isolated(pool, "open_notes", insert)


@pytest.mark.parametrize(
    "statement",
    [
        "alter table notes disable row level security",
        "drop policy tenant_isolation on notes",
        "create table mine (id int)",
        "set role sample_owner",
        "alter role sample_app bypassrls",
        "truncate notes",
    ],
)
async def test_the_services_role_cannot_lift_the_barrier(pool, statement):
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_row_security_binds_the_owner_too(owner):
    async with owner.acquire() as connection:
        assert await connection.fetchval("select count(*) from notes") == 0
