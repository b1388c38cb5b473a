"""The relay between a real PostgreSQL and a real Kafka: what arrives, in which order, and what is put aside."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from service_kit import metrics
from service_kit.relay import list_parked, requeue


def numbers_by_key(records):
    """First sightings only: a relay may send twice, never in another order."""
    seen, found = set(), defaultdict(list)
    for record in records:
        number = int(record.value.split()[0])
        if number not in seen:
            seen.add(number)
            found[record.key].append(number)
    return found


def assert_complete_and_in_order(records, count):
    by_key = numbers_by_key(records)
    assert sorted(n for numbers in by_key.values() for n in numbers) == list(range(count))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


@pytest.mark.promise("PL18")
async def test_rows_arrive_once_in_order_per_key_with_key_headers_and_the_events_own_time(
    outbox, log, topic, relay_of, eventually
):
    ids = await outbox.add(topic, 5000, keys=50)
    async with relay_of(outbox.options(topic, batch_rows=700, window_rows=2000)):
        await eventually(outbox.is_empty)
    records = log.read(topic)
    assert len(records) == 5000
    assert_complete_and_in_order(records, 5000)
    assert {dict(record.headers)["ce_id"].decode() for record in records} == set(ids)
    assert all(record.timestamp == 1_700_000_000_000 + int(record.value.split()[0]) for record in records)
    assert dict(records[0].headers)["traceparent"] == f"00-{'a' * 32}-{'b' * 16}-01".encode()


async def test_a_committed_row_is_sent_within_a_blink(outbox, log, topic, relay_of, eventually):
    async with relay_of(outbox.options(topic, poll_seconds=30)):
        await outbox.add(topic, 1)
        await eventually(outbox.is_empty)
        await outbox.add(topic, 1, first=1)
        seconds = await eventually(outbox.is_empty)
    assert seconds < 5, "the notification has to wake the relay, the poll is 30 s away"
    assert len(log.read(topic)) == 2


async def test_a_lower_id_that_is_committed_later_is_not_passed_over(outbox, log, topic, relay_of, eventually):
    async with outbox.pool.acquire() as late, relay_of(outbox.options(topic)):
        async with late.transaction():
            await outbox.add(topic, 1, on=late)
            await outbox.add(topic, 3, first=1)
            await eventually(outbox.is_empty)
        await eventually(outbox.is_empty)
    assert {int(record.value.split()[0]) for record in log.read(topic)} == {0, 1, 2, 3}


async def test_a_row_for_a_topic_nobody_declared_is_parked_and_the_others_go_through(outbox, log, topic, relay_of, eventually):
    await outbox.add(topic, 10)
    await outbox.add("sample.unheard-of", 2)
    await outbox.add(topic, 10, first=10)
    async with relay_of(outbox.options(topic)) as relay:
        await eventually(outbox.is_empty)
        assert await outbox.parked() == [("sample.unheard-of", "unknown topic")] * 2
        assert relay.warnings() == ["2 rows are parked"]
    assert_complete_and_in_order(log.read(topic), 20)


async def test_a_row_too_large_for_us_is_parked(outbox, log, topic, relay_of, eventually):
    await outbox.add(topic, 1, size=1_000_000)
    await outbox.add(topic, 5, first=1)
    before = metrics.RELAY_PARKED.labels("too large")._value.get()
    async with relay_of(outbox.options(topic)):
        await eventually(outbox.is_empty)
    assert await outbox.parked() == [(topic, "too large")]
    assert metrics.RELAY_PARKED.labels("too large")._value.get() == before + 1
    assert len(log.read(topic)) == 5


async def test_a_row_that_only_kafka_refuses_is_found_among_its_neighbours_and_parked(outbox, log, relay_of, eventually):
    small = log.new_topic(1, **{"max.message.bytes": "20000"})
    await outbox.add(small, 20)
    await outbox.add(small, 1, size=50_000, first=20)
    await outbox.add(small, 20, first=21)
    async with relay_of(outbox.options(small)):
        await eventually(outbox.is_empty)
    assert await outbox.parked() == [(small, "MSG_SIZE_TOO_LARGE")]
    assert {int(record.value.split()[0]) for record in log.read(small)} == set(range(41)) - {20}


async def test_rows_of_a_declared_topic_wait_for_its_creation_without_blocking_others(outbox, log, topic, relay_of, eventually):
    later = f"{topic}-later"
    await outbox.add(later, 5)
    await outbox.add(topic, 5)
    async with relay_of(outbox.options(topic, later)) as relay:
        await eventually(lambda: rows_left(outbox, 5))
        assert relay.warnings() == [f"Kafka lacks the topic {later}"]
        log.new_topic(name=later)
        await eventually(outbox.is_empty)
    assert_complete_and_in_order(log.read(later), 5)
    assert await outbox.parked() == []


async def test_rows_of_a_topic_that_never_comes_are_parked_after_the_grace(outbox, topic, relay_of, eventually):
    await outbox.add(f"{topic}-never", 5)
    async with relay_of(outbox.options(topic, f"{topic}-never", missing_topic_seconds=0.1)):
        await eventually(outbox.is_empty)
    assert await outbox.parked() == [(f"{topic}-never", "unknown topic")] * 5


async def test_parked_rows_are_sent_after_a_requeue(outbox, log, topic, relay_of, eventually):
    await outbox.add(topic, 3)
    async with relay_of(outbox.options("sample.other", missing_topic_seconds=60)):
        await eventually(outbox.is_empty)
    async with outbox.pool.acquire() as connection:
        assert [row.reason for row in await list_parked(connection)] == ["unknown topic"] * 3
        assert await requeue(connection) == 3
    async with relay_of(outbox.options(topic)):
        await eventually(outbox.is_empty)
    assert_complete_and_in_order(log.read(topic), 3)
    assert await outbox.parked() == []


async def test_a_producer_beyond_repair_is_replaced_and_nothing_is_lost(outbox, log, topic, relay_of, eventually):
    await outbox.add(topic, 3000, keys=7)
    made = []

    def make_producer(configuration) -> BreaksOnce:
        made.append(BreaksOnce(Producer(configuration), after=1200 if not made else None))
        return made[-1]

    async with relay_of(outbox.options(topic, batch_rows=500), make_producer=make_producer):
        await eventually(outbox.is_empty)
    assert len(made) == 2
    assert_complete_and_in_order(log.read(topic), 3000)


async def test_an_idle_relay_asks_at_most_five_times_a_second(outbox, topic, relay_of, eventually):
    async with relay_of(outbox.options(topic)), relay_of(outbox.options(topic)):
        await outbox.add(topic, 1)
        await eventually(outbox.is_empty)
        before = await statements(outbox)
        for _ in range(20):
            await asyncio.sleep(0.1)
        assert await statements(outbox) - before <= 12, "two seconds of an active relay and one that stands by"


async def statements(outbox):
    # Each statement of the relay outside a window is a transaction of its own; the question itself counts too.
    query = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
    return await outbox.pool.fetchval(query)


async def rows_left(outbox, count):
    return await outbox.rows() == count


class BreaksOnce:
    """A producer that is fenced off after some records, as after a fatal error of the idempotent protocol."""

    def __init__(self, producer, after) -> None:
        self._producer, self._left = producer, after

    def __getattr__(self, name) -> Any:
        return getattr(self._producer, name)

    def __len__(self) -> int:
        return len(self._producer)

    def produce(self, *arguments: Any, **named: Any) -> None:
        if self._left == 0:
            raise KafkaException(KafkaError(KafkaError._FATAL, "fenced", fatal=True))
        if self._left is not None:
            self._left -= 1
        self._producer.produce(*arguments, **named)
