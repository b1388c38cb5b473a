"""Rows about the relay: throughput against a bare producer and against Debezium, and the time from commit to Kafka."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from subprocess import Popen

from tests.bench import debezium_engine
from tests.bench.measure import paired, percentile, spread
from tests.bench.outbox_load import TopicEnd, commit_backlog, messages, outbox_rows
from tests.bench.steady import latencies
from tests.faults.lab import Lab, World

from bloom_events.topics import APPOINTMENTS
from service_kit.database import Connection
from tools.results import Row

BACKLOG = 100_000
ROUNDS, LONG_ROUNDS = 4, 10
# The relay has started by then, and its first statements are counted.
SETTLE_SECONDS, IDLE_SECONDS = 3.0, 10.0
# The engine reads the write-ahead log; both sides run on the same server.
POSTGRES = {"wal_level": "logical", "max_connections": "100", "shared_buffers": "256MB", "max_wal_size": "2GB"}
_slots = (f"bench_{number}" for number in itertools.count())


async def relay_vs_producer(*, long: bool) -> list[Row]:
    """The relay emptying a backlog against a bare confluent producer sending the same records."""
    async with Lab(POSTGRES) as lab, lab.world() as world:

        async def ours() -> float:
            return await _relay_rate(world)

        async def theirs() -> float:
            return await producer_rate(world, BACKLOG)

        pair = await paired(LONG_ROUNDS if long else ROUNDS, ours, theirs, say="relay and bare producer", unit="rows/s")
    name = "relay throughput over a bare confluent producer"
    return [
        pair.row("relay-vs-producer", name, goal=">= 0.75", ok=lambda ratio: ratio >= 0.75, unit="rows_per_s", backlog=BACKLOG)
    ]


async def relay_vs_debezium(*, long: bool) -> list[Row]:
    """The relay against Debezium's engine on the same table: throughput of a backlog, and added latency at 300 events/s."""
    async with Lab(POSTGRES) as lab, lab.world() as world:

        async def ours() -> float:
            return await _relay_rate(world)

        async def theirs() -> float:
            return await _debezium_rate(world)

        pair = await paired(LONG_ROUNDS if long else ROUNDS, ours, theirs, say="relay and Debezium", unit="rows/s")
        late = await paired(3, lambda: _relay_p99(world), lambda: _debezium_p99(world), say="p99 at 300 events/s", unit="ms")
    fast = pair.row(
        "relay-vs-debezium",
        "relay throughput over Debezium's engine",
        goal=">= 3",
        ok=lambda ratio: ratio >= 3,
        unit="rows_per_s",
    )
    name = "relay p99 commit to consumer over Debezium's"
    slow = late.row("relay-vs-debezium-latency", name, goal="<= 1", ok=lambda ratio: ratio <= 1, unit="ms")
    return [fast, slow]


async def commit_to_kafka(*, long: bool) -> list[Row]:
    """Milliseconds from the commit of an event to a consumer that has it, at 300 events/s, and queries per second when idle."""
    async with Lab(POSTGRES) as lab, lab.world() as world:
        relay = await world.started("appointments", "relay")
        # First of all: sessions report what they did in a load up to ten seconds after it.
        idle = await _idle_queries(world)
        rounds = [await latencies(world, rate=300, seconds=30 if long else 10) for _ in range(5 if long else 3)]
        relay.stop()
    p50 = statistics.median(percentile(each, 0.5) for each in rounds)
    p99 = statistics.median(percentile(each, 0.99) for each in rounds)
    detail: dict[str, object] = {
        "rounds_p50": spread([percentile(r, 0.5) for r in rounds]),
        "rounds_p99": spread([percentile(r, 0.99) for r in rounds]),
    }
    return [
        Row("commit-to-kafka", "commit to consumer, p50 at 300 events/s", round(p50, 2), "ms", "<= 8", p50 <= 8, detail),
        Row("commit-to-kafka-p99", "commit to consumer, p99 at 300 events/s", round(p99, 2), "ms", "<= 20", p99 <= 20, detail),
        Row("relay-idle-queries", "queries of an idle relay", round(idle, 2), "queries/s", "<= 5", idle <= 5),
    ]


async def _relay_rate(world: World) -> float:
    relay = await world.started("appointments", "relay")
    try:
        return await _rate_of_backlog(world)
    finally:
        await asyncio.to_thread(relay.stop)


async def producer_rate(world: World, count: int) -> float:
    """Records per second of the bare producer, which sends `count` of them in a process of its own."""
    arguments = ["-m", "tests.bench.bare_producer", world.kafka.bootstrap, str(count)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the bare producer failed")
    return float(printed)


async def _debezium_rate(world: World) -> float:
    return await _with_debezium(world, lambda: _rate_of_backlog(world))


async def _relay_p99(world: World) -> float:
    relay = await world.started("appointments", "relay")
    try:
        return percentile(await latencies(world, rate=300, seconds=10), 0.99)
    finally:
        await asyncio.to_thread(relay.stop)


async def _debezium_p99(world: World) -> float:
    async def measured() -> float:
        return percentile(await latencies(world, rate=300, seconds=10), 0.99)

    return await _with_debezium(world, measured)


async def _with_debezium(world: World, measured: Callable[[], Awaitable[float]]) -> float:
    """Run a measurement with the engine reading a new slot; the table is emptied and the slot dropped after it."""
    slot = next(_slots)
    connection = await world.superuser("appointments")
    try:
        with _engine(world, slot):
            return await measured()
    finally:
        await _drop(connection, slot)
        await connection.close()


def _engine(world: World, slot: str) -> AbstractContextManager[Popen[str]]:
    server = world.postgres
    database = world.databases["appointments"].name
    return debezium_engine.running(
        port=server.port,
        user="postgres",
        password=server.password("postgres"),
        database=database,
        bootstrap=world.kafka.bootstrap,
        slot=slot,
    )


async def _drop(connection: Connection, slot: str) -> None:
    await connection.execute("truncate outbox")
    await connection.execute(f"drop publication if exists {slot}")
    query = "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active"
    await connection.execute(query, slot)
    await asyncio.sleep(0.3)
    await connection.execute("select pg_drop_replication_slot($1)", slot)


async def _rate_of_backlog(world: World) -> float:
    """Rows per second from the commit of a backlog until the broker holds all of it."""
    connection = await world.superuser("appointments")
    end = TopicEnd(world.kafka.bootstrap, APPOINTMENTS.name)
    try:
        rows = outbox_rows(messages(BACKLOG))
        before = end.count()
        started = await commit_backlog(connection, rows)
        return BACKLOG / (await end.reached(before + BACKLOG) - started)
    finally:
        end.close()
        await connection.close()


async def _idle_queries(world: World) -> float:
    connection = await world.superuser("appointments")
    query = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
    try:
        await asyncio.sleep(SETTLE_SECONDS)
        before, started = int(await connection.fetchval(query)), time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        await connection.execute("select pg_stat_clear_snapshot()")
        # This connection's own two statements are not the relay's.
        return (int(await connection.fetchval(query)) - before - 2) / (time.monotonic() - started)
    finally:
        await connection.close()
