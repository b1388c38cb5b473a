"""The unit of work on PostgreSQL: rows and events together, under one tenant, or not at all."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from bloom_events.auth import Role, UserRegistered
from bloom_events.envelope import wrap
from bloom_events.ids import EventId, TenantId, UserId, new_id
from service_kit.database import create_pool
from service_kit.errors import NotFound, ServiceUnavailable
from service_kit.outbox import unpack_headers
from service_kit.testing import FixedClock, rolled_back
from service_kit.tracing import current_trace_id, span
from service_kit.unit_of_work import Caused, Context, Transaction, TransactionLost, UnitOfWork

WRITE = "insert into notes (id, tenant_id, text) values ($1, $2, 'a')"


def unit(database, *, tenant_id: UUID | None = None, causation_id: EventId | None = None, **options: Any):
    context = Context(tenant_id=TenantId(tenant_id or uuid4()), correlation_id=new_id(), causation_id=causation_id)
    return UnitOfWork(database, source="/bloom/sample", context=context, clock=FixedClock(), **options)


def registered():
    return UserRegistered(user_id=UserId(new_id()), role=Role.PATIENT, status="active")


async def outbox_of(relay_pool, tenant_id):
    return await relay_pool.fetch("select * from outbox where tenant_id = $1 order by id", tenant_id)


async def test_a_row_and_its_event_are_committed_together(pool, relay_pool):
    uow, note_id, event = unit(pool), uuid4(), registered()
    async with uow.begin() as transaction:
        await transaction.connection.execute(WRITE, note_id, transaction.tenant_id)
        await transaction.publish(event)
    (row,) = await outbox_of(relay_pool, uow.context.tenant_id)
    assert (row["topic"], row["type"], row["key"]) == ("bloom.users.v1", "user.registered.v1", str(event.user_id).encode())
    assert row["timestamp_ms"] == int(FixedClock()().timestamp() * 1000)


async def test_an_error_leaves_neither_row_nor_event(pool, relay_pool):
    uow, note_id = unit(pool), uuid4()

    async def fails_at_the_end() -> None:
        async with uow.begin() as transaction:
            await transaction.connection.execute(WRITE, note_id, transaction.tenant_id)
            await transaction.publish(registered())
            raise NotFound

    with pytest.raises(NotFound):
        await fails_at_the_end()
    assert await outbox_of(relay_pool, uow.context.tenant_id) == []
    async with uow.begin() as transaction:
        assert await transaction.connection.fetchval("select count(*) from notes where id = $1", note_id) == 0


async def test_events_keep_their_order(pool, relay_pool):
    uow, events = unit(pool), [registered() for _ in range(5)]
    async with uow.begin() as transaction:
        await transaction.publish(*events)
    rows = await outbox_of(relay_pool, uow.context.tenant_id)
    assert [row["key"].decode() for row in rows] == [str(event.user_id) for event in events]


async def test_an_event_carries_tenant_correlation_causation_and_trace(pool, relay_pool):
    uow = unit(pool, causation_id=EventId(new_id()))
    with span("request"):
        async with uow.begin() as transaction:
            await transaction.publish(registered())
        trace_id = current_trace_id()
    (row,) = await outbox_of(relay_pool, uow.context.tenant_id)
    headers = dict(unpack_headers(row["headers"]))
    assert headers["ce_source"] == "/bloom/sample"
    assert trace_id in headers["traceparent"]
    carried = set(headers.values())
    assert {str(uow.context.tenant_id), str(uow.context.correlation_id), str(uow.context.causation_id)} <= carried


async def test_an_inner_unit_commits_with_the_outer_one_only(pool, relay_pool):
    uow = unit(pool)

    async def fails_after_the_inner_part() -> None:
        async with uow.begin() as outer:
            async with uow.within(outer).begin() as inner:
                await inner.publish(registered())
            raise NotFound

    with pytest.raises(NotFound):
        await fails_after_the_inner_part()
    assert await outbox_of(relay_pool, uow.context.tenant_id) == []


async def test_an_inner_error_undoes_the_whole_even_if_somebody_catches_it(pool):
    uow, outside, inside = unit(pool), uuid4(), uuid4()

    async def fails_inside(outer: Transaction) -> None:
        async with uow.within(outer).begin() as inner:
            await inner.connection.execute(WRITE, inside, inner.tenant_id)
            raise NotFound

    async def catches_it() -> None:
        async with uow.begin() as outer:
            await outer.connection.execute(WRITE, outside, outer.tenant_id)
            with pytest.raises(NotFound):
                await fails_inside(outer)

    with pytest.raises(TransactionLost):
        await catches_it()
    async with uow.begin() as transaction:
        rows = await transaction.connection.fetch("select id from notes where id = any($1)", [outside, inside])
    assert rows == []


async def test_a_failed_statement_whose_error_is_swallowed_is_not_taken_for_a_commit(pool):
    uow, note_id = unit(pool), uuid4()

    async def swallows_it() -> None:
        async with uow.begin() as transaction:
            await transaction.connection.execute(WRITE, note_id, transaction.tenant_id)
            with pytest.raises(asyncpg.UniqueViolationError):
                await transaction.connection.execute(WRITE, note_id, transaction.tenant_id)

    with pytest.raises(TransactionLost):
        await swallows_it()


async def test_a_connection_forgets_the_tenant_with_the_transaction(pool):
    uow = unit(pool)
    async with uow.begin() as transaction:
        await transaction.connection.execute(WRITE, uuid4(), transaction.tenant_id)
    for _ in range(10):
        async with pool.acquire() as connection:
            assert await connection.fetchval("select count(*) from notes") == 0


async def test_a_unit_on_a_tests_connection_leaves_nothing_behind(pool, relay_pool):
    async with rolled_back(pool) as connection:
        uow = unit(connection)
        async with uow.begin() as transaction:
            await transaction.publish(registered())
    assert await outbox_of(relay_pool, uow.context.tenant_id) == []


async def test_the_planted_bug_publishes_nothing(pool, relay_pool):
    uow = unit(pool, publishes=False)
    async with uow.begin() as transaction:
        await transaction.publish(registered())
    assert await outbox_of(relay_pool, uow.context.tenant_id) == []


async def test_when_all_connections_are_taken_the_caller_is_told_to_come_back(sample_database):
    small = await create_pool(SecretStr(sample_database.app_url), size=1, application_name="sample-small")
    async with small.acquire():
        with pytest.raises(ServiceUnavailable):
            async with unit(small, acquire_seconds=0.05).begin():
                pass
    async with unit(small, acquire_seconds=5.0).begin() as transaction:
        assert await transaction.connection.fetchval("select 1") == 1
    await small.close()


async def test_when_postgresql_is_away_the_caller_is_told_to_come_back():
    nowhere = await create_pool(SecretStr("postgresql://nobody@127.0.0.1:1/nothing"), size=1, application_name="sample")
    with pytest.raises(ServiceUnavailable):
        async with unit(nowhere).begin():
            pass
    await nowhere.close()


async def test_a_single_read_sees_its_own_tenant_and_binds_the_connection_to_none(pool):
    mine, stranger, note_id = unit(pool), unit(pool), uuid4()
    async with mine.begin() as transaction:
        await transaction.connection.execute(WRITE, note_id, transaction.tenant_id)
    query = "select id from notes where id = $1"

    # Often enough that PostgreSQL goes over from plans for the given values to one for all.
    for _ in range(12):
        found = await mine.fetch_one(query, note_id)
        assert found is not None
        assert found["id"] == note_id
        assert await stranger.fetch_one(query, note_id) is None
    async with pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from notes") == 0


async def test_a_single_read_sets_its_tenant_before_anything_is_read(pool):
    uow, note_id = unit(pool), uuid4()
    async with uow.begin() as transaction:
        await transaction.connection.execute(WRITE, note_id, transaction.tenant_id)
    for query in (
        "select * from notes",
        "select a.id from notes a join notes b using (id) order by 1",
        "select count(*) from notes",
    ):
        assert await uow.fetch_one(query) is not None
    found = await uow.fetch_one("select count(*) as notes from notes")
    assert found is not None
    assert found["notes"] == 1


async def test_a_statement_that_reads_many_rows_sees_those_of_its_tenant_in_its_own_order(pool):
    mine, stranger = unit(pool), unit(pool)
    ids = sorted(uuid4() for _ in range(5))
    for uow, written in ((mine, ids[1:]), (stranger, ids[:1])):
        async with uow.begin() as transaction:
            for note_id in reversed(written):
                await transaction.connection.execute(WRITE, note_id, transaction.tenant_id)
    query = "select id from notes where id = any($1::uuid[]) union all select id from notes where text = 'b' order by id"
    for _ in range(12):
        assert [row["id"] for row in await mine.fetch_all(query, ids)] == ids[1:]
        assert [row["id"] for row in await stranger.fetch_all(query, ids)] == ids[:1]


async def test_a_transaction_says_whether_the_lock_it_tried_was_free(pool):
    async with unit(pool).begin(try_lock=-7) as first, unit(pool).begin(try_lock=-7) as second, unit(pool).begin() as third:
        assert (first.holds_lock, second.holds_lock, third.holds_lock) == (True, False, False)
    async with unit(pool).begin(try_lock=-7) as later:
        assert later.holds_lock


async def test_events_of_many_causes_keep_their_order_and_each_the_correlation_and_trace_of_its_own(pool, relay_pool):
    uow = unit(pool)
    facts = {"source": "/bloom/sample", "tenant_id": uow.context.tenant_id, "time": FixedClock()()}
    causes = [wrap(registered(), correlation_id=uuid4(), **facts) for _ in range(3)]
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    caused = [Caused(registered(), causes[0], trace), Caused(registered(), causes[1]), Caused(registered(), causes[2], trace)]
    async with uow.begin() as transaction:
        await transaction.publish_caused(caused)
        await transaction.publish_caused([])
    rows = await outbox_of(relay_pool, uow.context.tenant_id)
    headers = [unpack_headers(row["headers"]) for row in rows]
    assert [row["key"].decode() for row in rows] == [str(each.event.user_id) for each in caused]
    assert [header["ce_correlationid"] for header in headers] == [str(cause.correlation_id) for cause in causes]
    assert [header["ce_causationid"] for header in headers] == [str(cause.id) for cause in causes]
    assert [header.get("traceparent") for header in headers] == [trace, None, trace]


async def test_the_planted_bug_publishes_nothing_of_many_causes_either(pool, relay_pool):
    uow = unit(pool, publishes=False)
    facts = {"source": "/bloom/sample", "tenant_id": uow.context.tenant_id, "time": FixedClock()()}
    cause = wrap(registered(), correlation_id=uuid4(), **facts)
    async with uow.begin() as transaction:
        await transaction.publish_caused([Caused(registered(), cause)])
    assert await outbox_of(relay_pool, uow.context.tenant_id) == []


async def test_the_same_unit_works_on_behalf_of_another_cause_within_one_transaction(pool, relay_pool):
    loop, cause = unit(pool), EventId(new_id())
    theirs = Context(loop.context.tenant_id, new_id(), cause)
    async with loop.begin() as transaction:
        assert transaction.context == loop.context
        async with loop.on_behalf_of(theirs).within(transaction).begin() as inner:
            await inner.publish(registered())
    (row,) = await outbox_of(relay_pool, loop.context.tenant_id)
    headers = unpack_headers(row["headers"])
    assert headers["ce_correlationid"] == str(theirs.correlation_id)
    assert headers["ce_causationid"] == str(cause)
