"""An outbox to fill, topics of the test's own, and a reader of what arrived."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar
from uuid import uuid4

import faust
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from service_kit.consuming import LogRecord, WorkerMustStop
from service_kit.database import Pool, create_pool
from service_kit.faust_app import run_app
from service_kit.outbox import pack_headers
from service_kit.relay import Relay, RelayOptions
from service_kit.settings import ServiceSettings, service_config

_INSERT = """
insert into outbox (event_id, tenant_id, topic, type, key, headers, payload, timestamp_ms)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bytea[], $8::bigint[])
"""
TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"
FIRST_TIME_MS = 1_700_000_000_000


class Log:
    """A Kafka cluster as the tests see it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._numbers = itertools.count(1)

    def new_topic(self, partitions: int = 3, *, name: str | None = None, **config: str) -> str:
        name = name or f"sample.notes.{uuid4().hex[:8]}"
        future = self._admin.create_topics([NewTopic(name, partitions, 1, config={"retention.ms": "-1", **config})])[name]
        future.result(20)
        return name

    def write(self, topic: str, *records: tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 2})
        for key, value, headers in records:
            producer.produce(topic, value, key, headers=headers, timestamp=FIRST_TIME_MS)
        assert producer.flush(20) == 0

    def read(self, topic: str) -> list[LogRecord]:
        """Everything on the topic now, each partition in order."""
        settings = {"bootstrap.servers": self.bootstrap, "group.id": uuid4().hex, "log_level": 2, "enable.auto.commit": False}
        reader = Consumer({**settings, "auto.offset.reset": "earliest", "enable.partition.eof": False})
        try:
            return self._read_all(reader, topic)
        finally:
            reader.close()

    def committed(self, group: str, topic: str) -> int:
        """How many records of the topic the group has committed, over all partitions; -1 while its coordinator is not up."""
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, "log_level": 2})
        try:
            numbers = reader.list_topics(topic, timeout=10).topics[topic].partitions
            places = reader.committed([TopicPartition(topic, n) for n in numbers], timeout=10)
            return sum(max(0, place.offset) for place in places)
        except KafkaException as error:
            if not (error.args[0].retriable() or error.args[0].code() == KafkaError.NOT_COORDINATOR):
                raise
            return -1
        finally:
            reader.close()

    @staticmethod
    def _read_all(reader: Consumer, topic: str) -> list[LogRecord]:
        numbers = reader.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {n: reader.get_watermark_offsets(TopicPartition(topic, n), timeout=10)[1] for n in numbers}
        reader.assign([TopicPartition(topic, n, 0) for n in numbers])
        found: list[LogRecord] = []
        deadline = time.monotonic() + 20
        while len(found) < sum(ends.values()) and time.monotonic() < deadline:
            found += [
                LogRecord(topic, m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers() or [])
                for m in reader.consume(1000, 0.2)
            ]
        return found


class Outbox:
    """The outbox of the sample service, written to as a service would."""

    def __init__(self, relay_url: str, bootstrap: str, pool: Pool) -> None:
        self.relay_url, self.bootstrap, self.pool = relay_url, bootstrap, pool

    async def add(self, topic: str, count: int, *, keys: int = 5, size: int = 100, first: int = 0, on: Any = None) -> list[str]:
        """Add rows whose payload begins with their number, on a connection of the test's if one is given; returns event ids."""
        rows = [self._row(topic, n, b"key-%d" % (n % keys), size) for n in range(first, first + count)]
        await (on or self.pool).execute(_INSERT, *zip(*rows, strict=True))
        return [str(row[0]) for row in rows]

    @staticmethod
    def _row(topic: str, number: int, key: bytes, size: int) -> tuple[Any, ...]:
        event_id = uuid4()
        headers = pack_headers([("ce_id", str(event_id).encode()), ("traceparent", TRACEPARENT.encode())])
        payload = b"%d " % number + b"x" * size
        return (event_id, uuid4(), topic, "sample.noted.v1", key, headers, payload, FIRST_TIME_MS + number)

    async def rows(self) -> int:
        return int(await self.pool.fetchval("select count(*) from outbox"))

    async def parked(self) -> list[tuple[str, str]]:
        return [tuple(row) for row in await self.pool.fetch("select topic, reason from outbox_parked order by id")]

    async def is_empty(self) -> bool:
        return await self.rows() == 0

    def options(self, *topics: str, **changed: Any) -> RelayOptions:
        known = {"dsn": SecretStr(self.relay_url), "bootstrap": self.bootstrap, "environment": "test", **changed}
        return RelayOptions(topics=frozenset(topics), **known)


@asynccontextmanager
async def relaying(options: RelayOptions, **extra: Any) -> AsyncIterator[Relay]:
    relay, stop = Relay(options, **extra), asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    try:
        yield relay
    finally:
        stop.set()
        await asyncio.wait_for(running, 15)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> float:
    """Wait for the condition and return how many seconds it took."""
    started = time.monotonic()
    while not await condition():
        assert time.monotonic() - started < seconds, "it did not come true in time"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


class _Settings(ServiceSettings):
    model_config = service_config("SAMPLE_")
    service_name: ClassVar[str] = "sample"


@asynccontextmanager
async def working(build: Callable[[], faust.App]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a worker for the length of the block; leaving it stops the worker, unless the test has seen it end."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_app(build(), stop))
    try:
        yield running
    finally:
        stop.set()
        await asyncio.wait({running}, timeout=20)
    if running.done() and not running.cancelled() and running.exception() is not None:
        with suppress(WorkerMustStop, RuntimeError):
            running.result()


@pytest.fixture
def worker_of() -> Callable[..., Any]:
    return working


@pytest.fixture
def sample_worker_settings(kafka_cluster) -> ServiceSettings:
    url = SecretStr("postgresql://unused.invalid/none")
    return _Settings(environment="test", database_url=url, kafka_bootstrap_servers=kafka_cluster.bootstrap)


@pytest.fixture(scope="session")
def log(kafka_cluster) -> Log:
    return Log(kafka_cluster.bootstrap)


@pytest.fixture
def topic(log: Log) -> str:
    return log.new_topic()


@pytest.fixture
async def outbox(sample_database, kafka_cluster) -> AsyncIterator[Outbox]:
    pool = await create_pool(SecretStr(sample_database.relay_url), size=3, application_name="outbox-tests")
    await pool.execute("delete from outbox")
    await pool.execute("delete from outbox_parked")
    yield Outbox(sample_database.relay_url, kafka_cluster.bootstrap, pool)
    await pool.close()


@pytest.fixture
def relay_of() -> Callable[..., Any]:
    """Runs a relay for the length of an `async with` block."""
    return relaying


@pytest.fixture
def eventually() -> Callable[..., Awaitable[float]]:
    return until
