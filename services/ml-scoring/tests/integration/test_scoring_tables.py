"""The tables: no tenant reaches another one's rows, the worker sees of all tenants what it needs and nothing else."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

import service_kit
from bloom_events.ids import new_id
from service_kit.database import Connection, Pool
from service_kit.testing import as_tenant, assert_tenant_isolated

MIGRATIONS = Path(__file__).parents[2] / "migrations"
InsertRow = Callable[[Connection, UUID], Awaitable[object]]
_SCORED = (
    "label, anxiety, bipolar, depression, normal, personality_disorder, stress, suicidal, level, windows, model_name,"
    " model_version, model_seal, model_hash, tokenizer_hash, threshold_moderate, threshold_high, threshold_critical,"
    " model_milliseconds"
)
_SCORE = "'Normal', 0, 0, 0, 1, 0, 0, 0, 'low', 1, 'm', '1', 's', 'h', 't', 0.1, 0.2, 0.3, 2"


async def insert_analysis(
    connection: Connection, tenant_id: UUID, *, state: str = "scored", scored: bool = True, reason: str | None = None
) -> None:
    columns, values = (f", {_SCORED}", f", {_SCORE}") if scored else ("", "")
    await connection.execute(
        "insert into analyses (id, tenant_id, message_id, conversation_id, patient_id, author_id, author_role, sequence,"
        f" revision, state, reason, changed_at, received_at, finished_at{columns})"
        f" values ($1, $2, $1, $1, $1, $1, 'PATIENT', 1, 1, $3, $4, now(), now(), now(){values})",
        new_id(),
        tenant_id,
        state,
        reason,
    )


async def insert_waiting(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into waiting_messages (tenant_id, event_id, conversation_id, headers, payload, partition, read_offset,"
        " received_at, next_try_at) values ($1, $2, $2, '{}', '', 0, 0, now(), now())",
        tenant_id,
        new_id(),
    )


async def insert_member(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into conversation_members (tenant_id, conversation_id, member_id, member_role, is_member, changed_at)"
        " values ($1, $2, $2, 'THERAPIST', true, now())",
        tenant_id,
        new_id(),
    )


async def insert_live_model(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into live_models (tenant_id, revision, name, version, seal, activated_by, activated_at)"
        " values ($1, 1, 'm', '1', $2, $1, now())",
        tenant_id,
        "a" * 64,
    )


async def insert_key(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into idempotency_keys (tenant_id, subject, route, key, request_hash, status, headers, body)"
        " values ($1, $1, 'POST /x', 'k', '', 201, '{}', '')",
        tenant_id,
    )


TABLES: dict[str, InsertRow] = {
    "analyses": insert_analysis,
    "waiting_messages": insert_waiting,
    "conversation_members": insert_member,
    "live_models": insert_live_model,
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


async def test_of_all_tenants_the_worker_sees_whose_turn_it_is_and_which_model_was_chosen_and_no_more(pool: Pool) -> None:
    tenants = {uuid4(), uuid4()}
    for tenant_id in tenants:
        async with as_tenant(pool, tenant_id) as connection:
            await insert_waiting(connection, tenant_id)
            await insert_live_model(connection, tenant_id)
    due = await pool.fetch("select * from waiting_tenants(now() + interval '1 minute')")
    chosen = await pool.fetch("select * from chosen_models()")
    (figures,) = await pool.fetch("select * from waiting_figures()")
    assert tenants <= {row["tenant_id"] for row in due}
    assert tenants <= {row["tenant_id"] for row in chosen}
    assert figures["waiting"] >= 2
    assert set(due[0].keys()) == {"tenant_id"}
    assert set(chosen[0].keys()) == {"tenant_id", "revision", "name", "version", "seal"}
    assert set(figures.keys()) == {"waiting", "oldest", "next_try"}


@pytest.mark.parametrize("function", ["waiting_tenants(now())", "waiting_figures()", "chosen_models()"])
async def test_the_relay_may_not_look_through_the_workers_windows(database: object, function: str) -> None:
    connection = await asyncpg.connect(database.relay_url)  # type: ignore[attr-defined]  # a ServiceDatabase
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch(f"select * from {function}")
    await connection.close()


@pytest.mark.parametrize(
    ("state", "scored", "reason"),
    [("scored", False, None), ("withdrawn", True, None), ("unreadable", False, None), ("scored", True, "key-destroyed")],
)
async def test_a_row_cannot_contradict_itself(pool: Pool, state: str, scored: bool, reason: str | None) -> None:
    tenant_id = uuid4()
    with pytest.raises(asyncpg.CheckViolationError):
        async with as_tenant(pool, tenant_id) as connection:
            await insert_analysis(connection, tenant_id, state=state, scored=scored, reason=reason)


@pytest.mark.parametrize("table", ["analyses", "conversation_members", "live_models"])
async def test_the_application_deletes_nothing_but_waits_that_are_over(pool: Pool, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(f"delete from {table}")


def test_the_plumbing_tables_are_those_of_the_kit() -> None:
    canonical = (Path(service_kit.__file__).parent / "outbox.sql").read_text()

    ours = (MIGRATIONS / "0001_plumbing.sql").read_text()
    assert ours == canonical.replace("{app}", "ml_scoring_app").replace("{relay}", "ml_scoring_relay")
