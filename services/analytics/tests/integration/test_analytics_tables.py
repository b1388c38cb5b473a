"""The tables: no tenant reaches another one's rows, the worker sees of all tenants whose turn it is and nothing else."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

import service_kit
from service_kit.database import Connection, Pool
from service_kit.testing import as_tenant, assert_tenant_isolated

MIGRATIONS = Path(__file__).parents[2] / "migrations"
InsertRow = Callable[[Connection, UUID], Awaitable[object]]


async def insert_series(connection: Connection, tenant_id: UUID) -> int:
    number = await connection.fetchval(
        "insert into series (tenant_id, metric, dimensions) values ($1, $2, '{}') returning id", tenant_id, str(uuid4())
    )
    return int(number)


async def insert_window(connection: Connection, tenant_id: UUID) -> int:
    series_id = await insert_series(connection, tenant_id)
    await connection.execute(
        "insert into windows (tenant_id, series_id, span, starts_at, ends_at, n, total, changed_at)"
        " values ($1, $2, 'day', '2030-01-07', '2030-01-08', 1, 0, now())",
        tenant_id,
        series_id,
    )
    return series_id


async def insert_bucket(connection: Connection, tenant_id: UUID) -> None:
    series_id = await insert_window(connection, tenant_id)
    await connection.execute(
        "insert into window_buckets (tenant_id, series_id, span, starts_at, bucket, n)"
        " values ($1, $2, 'day', '2030-01-07', 7, 1)",
        tenant_id,
        series_id,
    )


async def insert_member(connection: Connection, tenant_id: UUID) -> None:
    series_id = await insert_window(connection, tenant_id)
    await connection.execute(
        "insert into window_members (tenant_id, series_id, span, starts_at, member) values ($1, $2, 'day', '2030-01-07', $3)",
        tenant_id,
        series_id,
        uuid4().bytes,
    )


async def insert_closed(connection: Connection, tenant_id: UUID) -> None:
    series_id = await insert_series(connection, tenant_id)
    await connection.execute(
        "insert into closed_windows (tenant_id, series_id, span, starts_at, ends_at, n, total, revision, closed_at)"
        " values ($1, $2, 'day', '2030-01-07', '2030-01-08', 1, 0, 1, now())",
        tenant_id,
        series_id,
    )


async def insert_person(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into people (tenant_id, user_id, role, registered_at) values ($1, $2, 'PATIENT', now())", tenant_id, uuid4()
    )


async def insert_session(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute("insert into sessions (tenant_id, session_id) values ($1, $2)", tenant_id, uuid4())


async def insert_key(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into idempotency_keys (tenant_id, subject, route, key, request_hash, status, headers, body)"
        " values ($1, $1, 'POST /x', 'k', '', 201, '{}', '')",
        tenant_id,
    )


TABLES: dict[str, InsertRow] = {
    "series": insert_series,
    "windows": insert_window,
    "window_buckets": insert_bucket,
    "window_members": insert_member,
    "closed_windows": insert_closed,
    "people": insert_person,
    "sessions": insert_session,
    "idempotency_keys": insert_key,
}


@pytest.mark.parametrize("table", sorted(TABLES))
async def test_another_tenant_reads_and_writes_nothing_of_a_table(pool: Pool, table: str) -> None:
    await assert_tenant_isolated(pool, table, TABLES[table])

    assert await pool.fetchval("select relforcerowsecurity from pg_class where oid = $1::regclass", table)


async def test_every_table_with_a_tenant_is_in_the_list_above(owner: Pool) -> None:
    rows = await owner.fetch(
        "select c.table_name from information_schema.columns c join information_schema.tables t using (table_name)"
        " where c.column_name = 'tenant_id' and t.table_type = 'BASE TABLE'"
    )
    assert {row["table_name"] for row in rows} - {"outbox", "outbox_parked"} == set(TABLES)


async def test_of_all_tenants_the_worker_sees_whose_turn_it_is_and_no_more(pool: Pool) -> None:
    tenants = {uuid4(), uuid4()}
    for tenant_id in tenants:
        async with as_tenant(pool, tenant_id) as connection:
            await insert_window(connection, tenant_id)
    changed = await pool.fetch("select * from tenants_with_news(now() + interval '1 minute', '1970-01-01')")
    ended = await pool.fetch("select * from tenants_with_news('1970-01-01', '2030-01-08')")
    open_still = await pool.fetch("select * from tenants_with_news('1970-01-01', '2030-01-07 23:59:59')")
    assert {row["tenant_id"] for row in changed} == {row["tenant_id"] for row in ended} == tenants
    assert set(changed[0].keys()) == {"tenant_id"}
    assert open_still == await pool.fetch("select * from tenants_with_done('2040-01-01')") == []
    assert set((await pool.fetch("select * from untold_figures()"))[0].keys()) == {"untold", "oldest"}


@pytest.mark.parametrize("function", ["tenants_with_news(now(), now())", "tenants_with_done(now())", "untold_figures()"])
async def test_the_relay_may_not_look_through_the_workers_windows(database: object, function: str) -> None:
    connection = await asyncpg.connect(database.relay_url)  # type: ignore[attr-defined]  # a ServiceDatabase
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch(f"select * from {function}")
    await connection.close()


async def test_a_series_keeps_its_number_for_good(pool: Pool) -> None:
    for change in ("delete from series", "update series set metric = metric"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(change)


def test_the_plumbing_tables_are_those_of_the_kit() -> None:
    canonical = (Path(service_kit.__file__).parent / "outbox.sql").read_text()

    ours = (MIGRATIONS / "0001_plumbing.sql").read_text()
    assert ours == canonical.replace("{app}", "analytics_app").replace("{relay}", "analytics_relay")
