"""The worker on a real Kafka: shuffled and repeated deliveries, a `kill -9`, broken bytes, and what it tells in turn."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from pydantic import SecretStr

from bloom_events.appointments import AppointmentBooked
from bloom_events.envelope import Envelope, to_kafka
from bloom_events.topics import APPOINTMENTS, INVOICES
from local_stack.ports import free_port
from local_stack.postgres import ServiceDatabase
from local_stack.services import ServiceProcess, Surroundings, http_status
from service_kit.relay import Relay, RelayOptions

DEAD_LETTERS = f"{APPOINTMENTS.name}.billing.dlq"


@pytest.fixture(scope="module")
def start_worker(
    database: ServiceDatabase, kafka_topics: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], ServiceProcess]]:
    """Starts a worker process of its own on the test's database and Kafka; whatever still runs is killed at the end."""
    folder = tmp_path_factory.mktemp("workers")
    started: list[ServiceProcess] = []
    around = Surroundings(
        environment="test", databases={"billing": database}, kafka_bootstrap=kafka_topics, valkey_url="", jwks_url=""
    )

    def start() -> ServiceProcess:
        port, instance = free_port(), len(started) + 1
        environment = around.of("billing", "worker", port=port)
        worker = ServiceProcess(
            "billing", "worker", port=port, environment=environment, logs=folder, pids=folder, instance=instance, guarded=True
        )
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture(scope="module")
def deliver(kafka_topics: str) -> Callable[[Sequence[Envelope[Any]]], None]:
    """Puts events on the topic in just this order and waits until Kafka has them."""
    producer = Producer({"bootstrap.servers": kafka_topics, "enable.idempotence": True, "acks": "all"})

    def send(events: Sequence[Envelope[Any]]) -> None:
        for event in events:
            message = to_kafka(event)
            producer.produce(
                message.topic, message.value, message.key, headers=list(message.headers), timestamp=message.timestamp_ms
            )
        assert producer.flush(20) == 0

    return send


@pytest.fixture(scope="module")
def send_bytes(kafka_topics: str) -> Callable[[bytes], None]:
    producer = Producer({"bootstrap.servers": kafka_topics})

    def send(value: bytes) -> None:
        headers: list[tuple[str, str | bytes | None]] = [("ce_type", AppointmentBooked.TYPE.encode())]
        producer.produce(APPOINTMENTS.name, value, b"key", headers=headers)
        assert producer.flush(20) == 0

    return send


@pytest.fixture
async def relay(database: ServiceDatabase, kafka_topics: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    options = RelayOptions(dsn=SecretStr(database.relay_url), bootstrap=kafka_topics, environment="test")
    running = asyncio.create_task(Relay(options).run(stop))
    yield
    stop.set()
    await asyncio.wait_for(running, 20)


async def eventually(is_so: Callable[[], Awaitable[bool]], limit_seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + limit_seconds
    while not await is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


def shuffled(stories: Sequence[Any], seed: int) -> list[Envelope[Any]]:
    """All events of the stories, a fifth of them twice, in any order."""
    rng = random.Random(seed)
    events = [event for story in stories for event in story.events]
    delivered = [*events, *rng.choices(events, k=len(events) // 5)]
    rng.shuffle(delivered)
    return delivered


def courses(practice: Any, count: int) -> list[Any]:
    """As many appointments, taking in turn each course that one can take."""
    endings: list[Callable[[Any], Any]] = [
        lambda story: story.completed(),
        lambda story: story.cancelled(hours_before=72),
        lambda story: story.cancelled(hours_before=1),
        lambda story: story.missed(),
        lambda story: story.completed().corrected("no_show"),
        lambda story: story.completed().corrected("cancelled"),
    ]
    return [endings[index % len(endings)](practice.story().booked()) for index in range(count)]


@pytest.mark.promise("BI1", "BI4", "PL18", "PL20")
@pytest.mark.timeout(180)
async def test_a_worker_killed_in_the_middle_bills_every_visit_exactly_once(
    practice: Any, start_worker: Callable[[], ServiceProcess], deliver: Callable[[Sequence[Envelope[Any]]], None]
) -> None:
    await practice.with_prices()
    stories = courses(practice, 120)
    published = sum(len(story.events) for story in stories)

    async def handled() -> int:
        rows = await practice.rows("select coalesce(sum(events_handled), 0)::int as handled from visits")
        return int(rows[0]["handled"])

    async def has_begun() -> bool:
        return await handled() > 20

    async def has_ended() -> bool:
        return await handled() >= published

    first = start_worker()
    deliver(shuffled(stories, seed=7))
    assert await eventually(has_begun)
    first.kill()
    second = start_worker()
    assert await eventually(has_ended)
    second.stop()

    await then_the_books_are_right(practice, stories)
    assert await handled() == published


async def then_the_books_are_right(practice: Any, stories: Sequence[Any]) -> None:
    """Each course came to what it comes to in order; numbers have no gaps; the journal balances to what is still owed."""
    invoices = await practice.invoices()
    by_visit: dict[Any, list[tuple[str, int]]] = {}
    for invoice in invoices:
        by_visit.setdefault(invoice["appointment_id"], []).append((invoice["status"], invoice["total_minor"]))
    expected = [
        [("open", 14_280)],
        [("discarded", 14_280)],
        [("open", 7_140)],
        [("open", 14_280)],
        [("credited", 14_280), ("open", 14_280)],
        [("credited", 14_280)],
    ]
    assert [by_visit[story.appointment_id] for story in stories] == [expected[index % 6] for index in range(len(stories))]
    numbers = sorted(invoice["number"] for invoice in invoices if invoice["number"])
    assert numbers == [f"INV-{n:06d}" for n in range(1, len(numbers) + 1)]
    owed = sum(invoice["total_minor"] for invoice in invoices if invoice["status"] == "open")
    balance = await practice.balance()
    assert balance["accounts_receivable"] == owed
    assert sum(balance.values()) == 0


@pytest.mark.promise("PL20")
def test_the_api_answers_while_kafka_and_the_worker_are_away(database: ServiceDatabase, tmp_path: Path) -> None:
    port = free_port()
    around = Surroundings(
        environment="test",
        databases={"billing": database},
        kafka_bootstrap="127.0.0.1:1",
        valkey_url="",
        jwks_url="http://127.0.0.1:1",
    )
    environment = around.of("billing", "api", port=port)
    api = ServiceProcess("billing", "api", port=port, environment=environment, logs=tmp_path, pids=tmp_path, guarded=True)
    api.start()
    try:
        api.wait_ready()
        assert http_status(port, "/api/invoices") == 401
    finally:
        api.stop()


@pytest.mark.promise("PL18")
async def test_broken_bytes_are_parked_and_hold_nobody_up(
    practice: Any,
    start_worker: Callable[[], ServiceProcess],
    deliver: Callable[[Sequence[Envelope[Any]]], None],
    send_bytes: Callable[[bytes], None],
    kafka_topics: str,
) -> None:
    await practice.with_prices()
    before = letters(kafka_topics)
    send_bytes(b"\xff\x00 not an event")
    deliver(practice.story().booked().events)
    worker = start_worker()

    async def is_drafted() -> bool:
        return len(await practice.invoices()) == 1

    async def is_parked() -> bool:
        return letters(kafka_topics) == before + 1

    assert await eventually(is_drafted)
    assert await eventually(is_parked)
    worker.stop()


def letters(bootstrap: str) -> int:
    """How many records lie on the dead letter topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counting"})
    low, high = consumer.get_watermark_offsets(TopicPartition(DEAD_LETTERS, 0), timeout=10)
    consumer.close()
    return int(high - low)


@pytest.mark.promise("PL17", "PL18")
async def test_what_is_billed_is_told_on_the_topic_of_invoices(
    practice: Any,
    start_worker: Callable[[], ServiceProcess],
    deliver: Callable[[Sequence[Envelope[Any]]], None],
    relay: None,
    kafka_topics: str,
) -> None:
    await practice.with_prices()
    worker = start_worker()
    deliver(practice.story().booked().completed().events)
    told = await asyncio.to_thread(types_of_tenant, kafka_topics, practice.tenant_id, 2)
    worker.stop()

    assert told == ["invoice.drafted.v1", "invoice.opened.v1"]


def types_of_tenant(bootstrap: str, tenant_id: Any, count: int) -> list[str]:
    """The types of the first `count` events of a tenant on the topic of invoices; one invoice's events are in order."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"reader-{tenant_id}", "auto.offset.reset": "earliest"})
    consumer.subscribe([INVOICES.name])
    found: list[str] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        for message in consumer.consume(100, timeout=0.2):
            headers: dict[str, Any] = dict(message.headers() or [])
            if str(tenant_id).encode() in headers.values():
                found.append(headers["ce_type"].decode())
    consumer.close()
    return found
