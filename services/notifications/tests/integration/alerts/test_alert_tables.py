"""What the database itself refuses: foreign tenants, a second open alert, changes of what is over; and what the clock may see."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from bloom_events.ids import new_id
from service_kit.database import Connection, Pool
from service_kit.testing import as_tenant, assert_tenant_isolated

InsertRow = Callable[[Connection, UUID], Awaitable[object]]


async def insert_person(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into people (tenant_id, user_id, role, is_verified, is_suspended, standing_at, standing_event_id)"
        " values ($1, $1, 'THERAPIST', true, false, now(), $1)",
        tenant_id,
    )


async def insert_chain(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into alert_chains (tenant_id, revision, supervisors, on_call, set_by, set_at)"
        " values ($1, 1, '{}', '{}', $1, now())",
        tenant_id,
    )


async def insert_deadlines(connection: Connection, tenant_id: UUID) -> None:
    await insert_chain(connection, tenant_id)
    await connection.execute("insert into alert_deadlines values ($1, 1, 'therapist', 900, 300, 120)", tenant_id)


async def insert_message(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into watched_messages (tenant_id, message_id, revision, conversation_id, patient_id, therapist_ids, written_at,"
        " due_at, correlation_id) values ($1, $1, 1, $1, $1, '{}', now(), now(), $1)",
        tenant_id,
    )


async def insert_ending(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute("insert into message_endings (tenant_id, message_id, deleted_at) values ($1, $1, now())", tenant_id)


async def insert_alert(connection: Connection, tenant_id: UUID) -> UUID:
    """An open alert of the conversation that has the tenant's number."""
    alert_id = new_id()
    await connection.execute(
        "insert into alerts (id, tenant_id, conversation_id, patient_id, cause, message_id, message_sent_at, raised_at, level,"
        " therapist_ids, step, called, told, deadline, round, lap, revision, status, correlation_id)"
        " values ($1, $2, $2, $2, 'risk', $2, now(), now(), 'high', '{}', 'therapist', '{}', '{}', now(), 1, 1, 1, 'calling',"
        " $2)",
        alert_id,
        tenant_id,
    )
    return alert_id


async def insert_alert_message(connection: Connection, tenant_id: UUID) -> None:
    alert_id = await insert_alert(connection, tenant_id)
    await connection.execute("insert into alert_messages values ($1, $2, $1, 'risk', 'high', now())", tenant_id, alert_id)


async def insert_alert_person(connection: Connection, tenant_id: UUID) -> None:
    alert_id = await insert_alert(connection, tenant_id)
    await connection.execute("insert into alert_people values ($1, $2, $1, now())", tenant_id, alert_id)


async def insert_change(connection: Connection, tenant_id: UUID) -> None:
    alert_id = await insert_alert(connection, tenant_id)
    await connection.execute(
        "insert into alert_changes values ($1, $2, 1, 'raised', now(), null, null, 'high', 'therapist', 1, '{}', null)",
        tenant_id,
        alert_id,
    )


TABLES: dict[str, InsertRow] = {
    "people": insert_person,
    "alert_chains": insert_chain,
    "alert_deadlines": insert_deadlines,
    "watched_messages": insert_message,
    "message_endings": insert_ending,
    "alerts": insert_alert,
    "alert_messages": insert_alert_message,
    "alert_people": insert_alert_person,
    "alert_changes": insert_change,
}


@pytest.mark.parametrize("table", sorted(TABLES))
async def test_another_tenant_reads_and_writes_nothing_of_a_table(pool: Pool, table: str) -> None:
    await assert_tenant_isolated(pool, table, TABLES[table])

    assert await pool.fetchval("select relforcerowsecurity from pg_class where oid = $1::regclass", table)


async def test_a_conversation_cannot_have_two_open_alerts(pool: Pool) -> None:
    tenant_id = uuid4()
    async with as_tenant(pool, tenant_id) as connection:
        await insert_alert(connection, tenant_id)
    with pytest.raises(asyncpg.UniqueViolationError, match="one_open_alert_per_conversation"):
        async with as_tenant(pool, tenant_id) as connection:
            await insert_alert(connection, tenant_id)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'acknowledged', revision = 2",
        "deadline = null, revision = 2",
        "status = 'resolved', deadline = null, acknowledged_by = id, acknowledged_at = now(), revision = 2",
        "level = 'low', revision = 2",
        "revision = 3",
        "level = 'critical'",
    ],
)
async def test_an_alert_that_contradicts_itself_cannot_be_written(pool: Pool, change: str) -> None:
    tenant_id = uuid4()
    async with as_tenant(pool, tenant_id) as connection:
        await insert_alert(connection, tenant_id)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with as_tenant(pool, tenant_id) as connection:
            await connection.execute(f"update alerts set {change}")


async def test_a_resolved_alert_does_not_change(ward: Any) -> None:
    await ward.hear(ward.message().scored())
    alert_id = (await ward.alert())["id"]
    await ward.answer(alert_id)
    await ward.end(alert_id)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="resolved"):
        await ward.rows("update alerts set level = 'critical', revision = revision + 1")


@pytest.mark.parametrize("table", ["alert_changes", "alert_chains", "alert_deadlines"])
async def test_what_happened_is_never_rewritten_or_removed(pool: Pool, table: str) -> None:
    for statement in (f"update {table} set tenant_id = tenant_id", f"delete from {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


@pytest.mark.parametrize(
    ("function", "columns"),
    [
        ("next_deadlines(10)", {"tenant_id", "alert_id", "correlation_id", "due_at"}),
        ("next_unscored(10)", {"tenant_id", "message_id", "revision", "correlation_id", "due_at"}),
        ("count_open_alerts()", {"level", "status", "alerts"}),
    ],
)
async def test_the_clock_learns_ids_and_times_of_all_tenants_and_no_more(
    pool: Pool, ward: Any, function: str, columns: set[str]
) -> None:
    await ward.hear(ward.message().scored(), ward.message().sent())

    rows = await pool.fetch(f"select * from {function}")

    assert set(rows[0].keys()) == columns
    assert await pool.fetchval("select count(*) from alerts") == 0


async def test_nobody_but_the_service_may_ask_the_clocks_questions(database: Any) -> None:
    connection = await asyncpg.connect(database.relay_url)
    try:
        for function in ("next_deadlines(1)", "next_unscored(1)", "count_open_alerts()", "count_unanswered_alerts()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select * from {function}")
    finally:
        await connection.close()
