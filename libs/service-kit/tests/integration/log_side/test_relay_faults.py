"""The relay when something dies: itself at its worst moments, its rival, PostgreSQL, Kafka."""

import asyncio
import os
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from pydantic import SecretStr

from local_stack.kafka import KafkaCluster
from local_stack.postgres import PostgresServer
from service_kit.database import create_pool, is_unavailable
from service_kit.migrate import migrate

WINDOW = 300
SCRIPT = Path(__file__).with_name("run_one_relay.py")


def first_sightings(records):
    seen, by_key = set(), defaultdict(list)
    for record in records:
        number = int(record.value.split()[0])
        if number not in seen:
            seen.add(number)
            by_key[record.key].append(number)
    return by_key


def assert_nothing_lost_and_in_order(records, count):
    by_key = first_sightings(records)
    assert sorted(n for numbers in by_key.values() for n in numbers) == list(range(count))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


async def start_process(outbox, topic, failpoint=""):
    environment = {**os.environ, "RELAY_FAILPOINT": failpoint}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), outbox.relay_url, outbox.bootstrap, topic, env=environment, stdout=asyncio.subprocess.DEVNULL
    )


@pytest.mark.promise("PL18")
@pytest.mark.parametrize("failpoint", ["after-delete:4", "after-produce:4", "after-ack:2", "before-commit:2"])
async def test_a_relay_killed_at_its_worst_moments_loses_nothing_and_keeps_the_order(outbox, log, topic, failpoint, eventually):
    await outbox.add(topic, 1500, keys=11)
    killed = await start_process(outbox, topic, failpoint)
    assert await asyncio.wait_for(killed.wait(), 30) == -9
    assert await outbox.rows() > 0, "it was killed in the middle"
    again = await start_process(outbox, topic)
    try:
        await eventually(outbox.is_empty)
    finally:
        again.terminate()
        assert await asyncio.wait_for(again.wait(), 15) == 0
    records = log.read(topic)
    assert_nothing_lost_and_in_order(records, 1500)
    assert len(records) - 1500 <= WINDOW, "what is sent twice is bounded by one window"


async def test_one_relay_stands_by_and_takes_over_when_the_active_one_is_killed(outbox, log, topic, relay_of, eventually):
    active = await start_process(outbox, topic)
    await outbox.add(topic, 10)
    await eventually(outbox.is_empty)
    async with relay_of(outbox.options(topic, standby_seconds=0.5)) as standby:
        await eventually(lambda: is_ready(standby))
        active.kill()
        await active.wait()
        await outbox.add(topic, 10, first=10)
        assert await eventually(outbox.is_empty) < 3
    records = log.read(topic)
    assert len(records) == 20, "two relays at work would have sent rows twice"
    assert_nothing_lost_and_in_order(records, 20)


@pytest.mark.promise("PL18")
async def test_a_relay_whose_sessions_are_cut_is_back_within_five_seconds(
    outbox, postgres_server, log, topic, relay_of, eventually
):
    async with relay_of(outbox.options(topic)):
        await outbox.add(topic, 2000)
        postgres_server.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'relay%'")
        await outbox.add(topic, 100, first=2000)
        assert await eventually(outbox.is_empty) < 5
    assert_nothing_lost_and_in_order(log.read(topic), 2100)


async def test_a_relay_that_lost_only_its_ear_listens_again(outbox, postgres_server, topic, relay_of, eventually):
    async with relay_of(outbox.options(topic)):
        await outbox.add(topic, 1)
        await eventually(outbox.is_empty)
        cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'relay-listener'"
        postgres_server.sql(cut)
        await outbox.add(topic, 1, first=1)
        await eventually(outbox.is_empty)
        await eventually(lambda: has_a_listener(outbox))
    assert await outbox.rows() == 0


async def test_the_relay_outlives_a_kill_of_postgresql(tmp_path, log, topic, relay_of, eventually, outbox, sample_migrations):
    server = PostgresServer(tmp_path / "postgres", guarded=True)
    server.start()
    server.wait_ready()
    database = server.create_service_database("sample")
    await asyncio.to_thread(migrate_at, database.owner_url, sample_migrations)
    own = type(outbox)(database.relay_url, outbox.bootstrap, await pool_of(database.relay_url))
    try:
        async with relay_of(own.options(topic)):
            await own.add(topic, 500)
            server.kill()
            server.start()
            server.wait_ready()
            assert await eventually(lambda: is_empty_after_restart(own)) < 5
            await own.add(topic, 500, first=500)
            await eventually(own.is_empty)
        await own.pool.close()
    finally:
        server.kill()
    assert_nothing_lost_and_in_order(log.read(topic), 1000)


async def test_the_relay_goes_on_by_itself_after_kafka_was_away(tmp_path, outbox, relay_of, eventually, log):
    cluster = KafkaCluster(tmp_path / "kafka", guarded=True)
    await asyncio.to_thread(cluster.start)
    await asyncio.to_thread(cluster.wait_ready)
    own_log = type(log)(cluster.bootstrap)
    topic = own_log.new_topic()
    own = type(outbox)(outbox.relay_url, cluster.bootstrap, outbox.pool)
    try:
        async with relay_of(own.options(topic, stall_seconds=1.0)) as relay:
            await own.add(topic, 500)
            await eventually(own.is_empty)
            cluster.kill(1)
            await own.add(topic, 500, first=500)
            await eventually(lambda: is_ready(relay, ready=False))
            cluster.start_node(1)
            await eventually(own.is_empty, 60)
        records = own_log.read(topic)
    finally:
        cluster.kill()
    assert_nothing_lost_and_in_order(records, 1000)


async def is_ready(relay, *, ready=True):
    return (await relay.health_checks()["relay"]() is None) is ready


async def has_a_listener(outbox):
    query = "select count(*) from pg_stat_activity where application_name = 'relay-listener'"
    return await outbox.pool.fetchval(query) == 1


async def is_empty_after_restart(outbox):
    try:
        return await outbox.is_empty()
    except Exception as error:
        # The pool of the test finds its connections dead, as the relay did.
        if not is_unavailable(error):
            raise
        return False


def migrate_at(url, folder):
    asyncio.run(migrate(SecretStr(url), folder))


async def pool_of(url):
    return await create_pool(SecretStr(url), size=2, application_name="own-outbox")
