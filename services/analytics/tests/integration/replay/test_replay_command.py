"""The command of operators, on a real log: it says what differs by its status, and mends it when it is asked to."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import Producer

from bloom_events.envelope import to_kafka
from bloom_events.glances import Glance, glance
from local_stack.postgres import ServiceDatabase
from service_kit.consuming import LogRecord
from service_kit.consuming_fetches import Taken
from service_kit.log_reader import LogCut, LogReader

# Later than anything that other tests put into the log, so that what they left there is not read; Kafka takes an hour ahead.
SOON = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
LATER = SOON + timedelta(minutes=40)
BOOKED = "appointments.booked"


def publish(bootstrap: str, envelopes: list[Any]) -> list[Taken[Glance]]:
    """Put events into the log and return them with their places there."""
    taken: list[Taken[Glance]] = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    for message in map(to_kafka, envelopes):

        def place(error: Any, sent: Any, message: Any = message) -> None:
            assert error is None
            record = LogRecord(message.topic, sent.partition(), sent.offset(), message.timestamp_ms, message.key, b"", ())
            taken.append(Taken(record, glance(message.headers, message.value)))

        producer.produce(
            message.topic, message.value, message.key, headers=message.headers, timestamp=message.timestamp_ms, on_delivery=place
        )
    assert producer.flush(30) == 0
    return sorted(taken, key=lambda each: (each.record.partition, each.record.offset))


def replay(database: ServiceDatabase, bootstrap: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "ANALYTICS_ENVIRONMENT": "test",
        "ANALYTICS_DATABASE_URL": database.app_url,
        "ANALYTICS_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "analytics", "replay", BOOKED, *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


async def test_the_command_finds_a_wrong_window_and_mends_it(
    engine: Any, happened: Any, database: ServiceDatabase, kafka_topics: str
) -> None:
    events = [happened.booked(SOON + timedelta(seconds=30 * place)) for place in range(50)]
    await engine.counting.take(publish(kafka_topics, events))
    start = ("--from", SOON.isoformat())
    assert (done := replay(database, kafka_topics, *start)).returncode == 0, done.stderr
    assert "50 records read, and the live one is what they give" in done.stdout
    async with engine.pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('app.tenant_id', $1, true)", str(happened.tenant_id))
        await connection.execute("update windows set n = n + 1 where span = 'minute' and starts_at = $1", SOON)

    found = replay(database, kafka_topics, *start)
    assert found.returncode == 1, found.stderr
    assert str(happened.tenant_id) in found.stdout
    assert replay(database, kafka_topics, *start, "--at", SOON.isoformat(), "--swap").returncode == 0

    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)


@pytest.fixture
def reader(kafka_topics: str) -> Any:
    reader = LogReader(kafka_topics, name="tests")
    yield reader
    reader.close()


def test_the_log_is_read_by_place_from_where_a_moment_lies(reader: LogReader, happened: Any, kafka_topics: str) -> None:
    who = UUID(int=7)
    events = [happened.wrapped(happened.booked(SOON).data.model_copy(update={"appointment_id": who}), LATER) for _ in range(30)]
    taken = publish(kafka_topics, events)
    topic, partition = taken[0].record.topic, taken[0].record.partition
    first, end = taken[0].record.offset, taken[-1].record.offset + 1

    assert reader.ends([topic])[topic, partition] == end
    assert reader.starts([topic], LATER)[topic, partition] == first
    records, following = reader.read(topic, partition, first + 5, end, 1000)
    assert [record.offset for record in records] == list(range(first + 5, end))
    assert following == end
    some, following = reader.read(topic, partition, first, end, 10)
    assert len(some) == 10
    assert following == first + 10


def test_a_log_that_does_not_hold_what_is_asked_for_is_told_from_one_that_is_away(reader: LogReader) -> None:
    with pytest.raises(LogCut):
        reader.read("bloom.appointments.v1", 0, 10**9, 10**9 + 1, 10)
