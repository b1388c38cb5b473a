"""The processes on a real Kafka: the worker follows what auth writes to the log, the relay tells it on, the API answers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from pydantic import SecretStr

from bloom_events.auth import Role, TherapistVerified, UserRegistered, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope, to_kafka
from bloom_events.ids import UserId
from bloom_events.registry import unwrap
from bloom_events.topics import APPOINTMENTS, THERAPISTS, USERS, Topic, dead_letter
from local_stack.ports import free_port
from local_stack.postgres import ServiceDatabase
from local_stack.services import ServiceProcess, Surroundings, http_status
from service_kit.relay import Relay, RelayOptions
from service_kit.testing import as_tenant

StartProcess = Callable[[str], ServiceProcess]


@pytest.fixture
def start(database: ServiceDatabase, kafka_topics: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartProcess]:
    """Starts a process of the service on the test's database and Kafka; what still runs at the end is killed."""
    folder = tmp_path_factory.mktemp("processes")
    started: list[ServiceProcess] = []
    around = Surroundings(
        environment="test",
        databases={"appointments": database},
        kafka_bootstrap=kafka_topics,
        valkey_url="",
        jwks_url="http://127.0.0.1:9/jwks.json",
    )

    def begin(process: str) -> ServiceProcess:
        port = free_port()
        environment = around.of("appointments", process, port=port)
        instance = len(started) + 1
        one = ServiceProcess(
            "appointments", process, port=port, environment=environment, logs=folder, pids=folder, instance=instance, guarded=True
        )
        started.append(one)
        one.start()
        return one

    yield begin
    for one in started:
        one.kill()


@pytest.fixture(autouse=True)
def past(clinic: Any) -> None:
    # Kafka refuses records from the future.
    clinic.clock.moment = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
async def relay(database: ServiceDatabase, kafka_topics: str) -> AsyncIterator[None]:
    """The relay of this database, as long as the test runs."""
    stop = asyncio.Event()
    options = RelayOptions(dsn=SecretStr(database.relay_url), bootstrap=kafka_topics, environment="test")
    running = asyncio.create_task(Relay(options).run(stop))
    yield
    stop.set()
    await asyncio.wait_for(running, 20)


def deliver(bootstrap: str, events: Sequence[Envelope[Any]], *, poison: Sequence[bytes] = ()) -> None:
    """Puts events on their topic in this order, with bytes that are no event among them, and waits until Kafka has them."""
    failures: list[Any] = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all"})

    def note(error: Any, _: Any) -> None:
        if error is not None:
            failures.append(error)

    for value in poison:
        producer.produce(USERS.name, value, b"key", headers=[("ce_type", b"therapist.verified.v1")], on_delivery=note)
    for event in events:
        topic, key, value, headers, timestamp = to_kafka(event)
        producer.produce(topic, value, key, headers=list(headers), timestamp=timestamp, on_delivery=note)
    assert producer.flush(20) == 0
    assert failures == []


async def eventually(is_so: Callable[[], Awaitable[bool]], limit_seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + limit_seconds
    while not await is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


@dataclass
class Account:
    """What auth tells of one therapist, and whether they are to be seen in the end."""

    id: UUID
    events: list[Envelope[Any]]
    is_shown: bool


def account(clinic: Any, changes: int) -> Account:
    """A therapist who is verified and then suspended and reinstated in turn, so often."""
    user_id, at = UserId(uuid4()), clinic.clock.moment
    told = [
        clinic.told(UserRegistered(user_id=user_id, role=Role.THERAPIST, status="pending_verification"), at=at),
        clinic.told(TherapistVerified(user_id=user_id, display_name="Dr. Robin Vale"), at=at + timedelta(seconds=1)),
    ]
    for number in range(changes):
        event = (UserReinstated if number % 2 else UserSuspended)(user_id=user_id, role=Role.THERAPIST)
        told.append(clinic.told(event, at=at + timedelta(seconds=2 + number)))
    return Account(user_id, told, is_shown=changes % 2 == 0)


async def handled(clinic: Any, accounts: Sequence[Account]) -> int:
    ids = [event.id for each in accounts for event in each.events]
    async with as_tenant(clinic.pool, clinic.tenant_id) as connection:
        return int(await connection.fetchval("select count(*) from inbox where event_id = any($1::uuid[])", ids))


async def shown(clinic: Any) -> set[UUID]:
    answer = await clinic.patient().get("/api/therapists", limit=200)
    return {UUID(each["id"]) for each in answer.json()["items"]}


def letters(bootstrap: str) -> int:
    """How many records lie on the dead letter topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counting"})
    low, high = consumer.get_watermark_offsets(TopicPartition(dead_letter(USERS, "appointments").name, 0), timeout=10)
    consumer.close()
    return int(high - low)


def told_on(topic: Topic, bootstrap: str, tenant_id: UUID) -> list[Envelope[Any]]:
    """What the tenant has on the topic, which tests of other services have filled too."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid4().hex, "enable.auto.commit": False})
    ends = {
        number: consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=10)[1]
        for number in range(topic.partitions)
    }
    consumer.assign([TopicPartition(topic.name, number, 0) for number in ends])
    read: list[Any] = []
    while len(read) < sum(ends.values()):
        some = consumer.consume(10_000, timeout=5.0)
        assert some, "the topic does not come to its end"
        read += [message for message in some if message.error() is None and message.offset() < ends[message.partition()]]
    consumer.close()
    mine = [message for message in read if ("ce_tenantid", str(tenant_id).encode()) in (message.headers() or [])]
    return [unwrap(message.headers(), message.value()) for message in mine]


@pytest.mark.promise("PL18")
@pytest.mark.timeout(180)
async def test_a_worker_killed_in_the_middle_leaves_the_directory_as_auth_told_it(
    clinic: Any, start: StartProcess, kafka_topics: str
) -> None:
    rng = random.Random(11)
    accounts = [account(clinic, number % 4) for number in range(60)]
    events = [event for each in accounts for event in each.events]
    delivered = [*events, *rng.choices(events, k=len(events) // 5)]
    rng.shuffle(delivered)
    effective = sum(len(each.events) - 1 for each in accounts)

    async def has_begun() -> bool:
        return await handled(clinic, accounts) > 10

    async def has_ended() -> bool:
        return await handled(clinic, accounts) >= effective

    first = start("worker")
    deliver(kafka_topics, delivered)
    assert await eventually(has_begun)
    first.kill()
    second = start("worker")
    assert await eventually(has_ended)
    second.stop()
    assert await shown(clinic) == {each.id for each in accounts if each.is_shown}
    assert len(await clinic.published("therapist.profile-changed.v1")) == len(accounts)


@pytest.mark.timeout(180)
async def test_broken_bytes_are_parked_and_hold_nobody_up(clinic: Any, start: StartProcess, kafka_topics: str) -> None:
    before = letters(kafka_topics)
    therapist = account(clinic, 0)
    deliver(kafka_topics, therapist.events, poison=[b"\xff\x00 no event", b"{}", b""])
    worker = start("worker")

    async def is_shown() -> bool:
        return therapist.id in await shown(clinic)

    async def are_parked() -> bool:
        return letters(kafka_topics) == before + 3

    assert await eventually(is_shown)
    assert await eventually(are_parked)
    worker.stop()


@pytest.mark.promise("PL18")
@pytest.mark.timeout(180)
async def test_a_verification_is_told_on_with_its_cause(clinic: Any, start: StartProcess, relay: None, kafka_topics: str) -> None:
    therapist = account(clinic, 0)
    deliver(kafka_topics, therapist.events)
    worker = start("worker")

    async def is_told() -> bool:
        return len(await asyncio.to_thread(told_on, THERAPISTS, kafka_topics, clinic.tenant_id)) == 1

    assert await eventually(is_told)
    [told] = told_on(THERAPISTS, kafka_topics, clinic.tenant_id)
    verified = therapist.events[1]
    assert (told.type, told.subject) == ("therapist.profile-changed.v1", str(therapist.id))
    assert (told.causation_id, told.correlation_id) == (verified.id, verified.correlation_id)
    worker.stop()


@pytest.mark.timeout(120)
async def test_the_api_and_the_relay_start_say_that_they_are_ready_and_end(start: StartProcess) -> None:
    for name in ("api", "relay"):
        process = start(name)
        await asyncio.to_thread(process.wait_ready)
        assert await asyncio.to_thread(http_status, process.port, "/health/live") == 200
        process.stop()
        assert await asyncio.to_thread(http_status, process.port, "/health/live") is None


@pytest.mark.promise("AP8", "PL18")
@pytest.mark.timeout(120)
async def test_a_booking_and_its_cancellation_arrive_on_kafka_in_order_and_with_the_events_own_time(
    clinic: Any, relay: None, kafka_topics: str
) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    visit = await clinic.book(patient, therapist)
    booked_at = clinic.clock.moment
    clinic.clock.advance(minutes=5)
    await patient.post(f"/api/appointments/{visit['id']}/cancel")

    async def are_told() -> bool:
        return len(await asyncio.to_thread(told_on, APPOINTMENTS, kafka_topics, clinic.tenant_id)) == 2

    assert await eventually(are_told)
    told = told_on(APPOINTMENTS, kafka_topics, clinic.tenant_id)
    assert [(each.type, each.data.revision) for each in told] == [("appointment.booked.v1", 1), ("appointment.cancelled.v1", 2)]
    assert [each.time for each in told] == [booked_at, booked_at + timedelta(minutes=5)]
    assert {each.subject for each in told} == {visit["id"]}
