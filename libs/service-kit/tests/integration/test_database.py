"""Connections: their limits, their codecs, and which errors pass."""

import asyncio
import re
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from service_kit import metrics
from service_kit.database import create_pool, describe_error, is_unavailable, warm_up


async def test_every_session_has_limits_on_how_long_things_may_take(pool):
    async with pool.acquire() as connection:
        shown = {name: await connection.fetchval(f"show {name}") for name in ("statement_timeout", "lock_timeout", "timezone")}
        idle = await connection.fetchval("show idle_in_transaction_session_timeout")
    assert shown == {"statement_timeout": "10s", "lock_timeout": "5s", "timezone": "UTC"}
    assert idle == "15s"


async def test_jsonb_goes_in_and_out_as_plain_values(pool):
    value = {"a": [1, "ü", None], "b": {"c": 1.5}}
    assert await pool.fetchval("select $1::jsonb", value) == value


async def test_a_connection_knows_lists_of_ids_before_the_first_request(pool):
    ids, asked = [uuid4(), uuid4()], []
    async with pool.acquire() as connection:
        connection.add_query_logger(lambda query: asked.append(query.query))
        assert await connection.fetchval("select $1::uuid[]", ids) == ids
    assert asked == ["select $1::uuid[]"]


async def test_every_statement_is_timed_by_whether_it_succeeded(pool):
    async def noted() -> dict[str, float]:
        # What is noted follows the answer.
        await asyncio.sleep(0)
        text = metrics.render()[0].decode()
        found = re.findall(r'bloom_database_statement_seconds_count{outcome="(\w+)"} (\S+)', text)
        return {"done": 0, "failed": 0} | {outcome: float(count) for outcome, count in found}

    before = await noted()
    assert await pool.fetchval("select 'Robin ' || $1", "Vale") == "Robin Vale"
    await pool.execute("select 1")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await pool.fetchval("select 1 / $1::int", 0)
    after = await noted()

    assert {outcome: after[outcome] - before[outcome] for outcome in after} == {"done": 2, "failed": 1}
    assert "Robin" not in metrics.render()[0].decode()


async def test_a_wrong_argument_never_gets_better_by_waiting(pool):
    with pytest.raises(asyncpg.DataError) as refused:
        await pool.fetchval("select $1::int", "seven")
    assert not is_unavailable(refused.value)


async def test_a_session_that_was_cut_off_may_be_tried_again(pool, postgres_server):
    async with pool.acquire() as connection:
        pid = await connection.fetchval("select pg_backend_pid()")
        postgres_server.sql(f"select pg_terminate_backend({pid})")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)) as cut:
            await connection.fetchval("select 1")
    assert is_unavailable(cut.value)
    assert await pool.fetchval("select 1") == 1


async def test_after_a_crash_of_postgresql_requests_are_told_to_come_back_and_then_served(live, issuer, postgres_server):
    path, headers = f"/notes/{uuid4()}", issuer.headers(role="PATIENT", tenant_id=uuid4())
    assert (await live.get(path, headers=headers)).status_code == 404
    postgres_server.kill()
    crashed = await live.get(path, headers=headers)
    ready = await live.get("/health/ready")
    postgres_server.start()
    postgres_server.wait_ready()
    assert crashed.status_code == 503
    assert crashed.headers["retry-after"] == "1"
    assert ready.status_code == 503
    assert (await live.get(path, headers=headers)).status_code == 404
    assert (await live.get("/health/ready")).json() == {"status": "ready", "checks": {"database": "ok"}}


async def test_what_is_said_of_a_violation_holds_no_value(owner):
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("create temp table people (mail text constraint people_mail unique) on commit drop")
        await connection.execute("insert into people values ('robin@example.test')")
        with pytest.raises(asyncpg.UniqueViolationError) as violated:
            await connection.execute("insert into people values ('robin@example.test')")
    assert "robin" in str(violated.value)
    described = describe_error(violated.value)
    assert described["constraint_name"] == "people_mail"
    assert described["sqlstate"] == "23505"
    assert "robin" not in str(described)


async def test_a_pool_can_be_made_while_postgresql_is_away():
    pool = await create_pool(SecretStr("postgresql://nobody@127.0.0.1:1/nothing"), size=2, application_name="sample")
    with pytest.raises(ConnectionRefusedError) as away:
        await pool.fetchval("select 1")
    assert is_unavailable(away.value)
    await pool.close()


async def test_a_warmed_pool_has_all_its_connections_idle(sample_database):
    async with await create_pool(SecretStr(sample_database.app_url), size=3, application_name="sample-warm") as pool:
        await warm_up(pool)
        assert (pool.get_size(), pool.get_idle_size()) == (3, 3)


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancelled_warm_up_holds_no_connection(sample_database, turns):
    pool = await create_pool(SecretStr(sample_database.app_url), size=3, application_name="sample-warm")
    warming = asyncio.create_task(warm_up(pool))
    for _ in range(turns):
        await asyncio.sleep(0)
    warming.cancel()
    await asyncio.wait_for(pool.close(), 5)
    assert pool.get_size() == 0


async def test_a_warm_up_does_not_wait_for_a_connection_that_is_in_use(sample_database):
    pool = await create_pool(SecretStr(sample_database.app_url), size=3, application_name="sample-warm")
    async with pool, pool.acquire():
        await asyncio.wait_for(warm_up(pool), 5)
        assert pool.get_idle_size() == 2


async def test_a_warm_up_gives_up_while_postgresql_is_away():
    pool = await create_pool(SecretStr("postgresql://nobody@127.0.0.1:1/nothing"), size=2, application_name="sample")
    await warm_up(pool)
    assert pool.get_size() == 0
    await pool.close()
