"""The worker as a process on a real Kafka: killed at its worst moments, replayed, given broken records, and left in silence."""

import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from analytics.agents import LISTENS_TO
from analytics.use_cases.counting import CONSUMER, FAILPOINTS
from bloom_events.appointments import AppointmentBooked
from bloom_events.envelope import Envelope, to_kafka
from bloom_events.topics import APPOINTMENTS
from local_stack.ports import free_port
from local_stack.postgres import ServiceDatabase
from local_stack.services import ServiceProcess, Surroundings

Told = Callable[[UUID], Awaitable[list[dict[str, Any]]]]
Deliver = Callable[[Sequence[Envelope[Any]]], None]
Start = Callable[..., ServiceProcess]
Question = Callable[[], Awaitable[Any]]
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Awaitable[Any]]:
    """Waits until a question has an answer, and gives it."""

    async def until(question: Question, seconds: float = 90) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := await question()):
            assert time.monotonic() < deadline, "it did not come true in time"
            await asyncio.sleep(0.05)
        return answer

    return until


@pytest.fixture
def around(database: ServiceDatabase, kafka_topics: str, pool: Any) -> Surroundings:
    """Surroundings of processes; the tables are empty, so partitions are read from where the group left them."""
    own = {"UPDATE_SECONDS": "0.1", "IDLE_SECONDS": "1", "ALLOWED_LATENESS_SECONDS": "1"}
    return Surroundings(
        environment="test",
        databases={"analytics": database},
        kafka_bootstrap=kafka_topics,
        valkey_url="",
        jwks_url="",
        own_settings={"analytics": own},
    )


@pytest.fixture
def start_worker(around: Surroundings, tmp_path: Path) -> Iterator[Start]:
    """Starts a worker process of its own; whatever still runs is killed at the end."""
    started: list[ServiceProcess] = []

    def start(*, failpoint: str = "") -> ServiceProcess:
        port, instance = free_port(), len(started) + 1
        environment = {**around.of("analytics", "worker", port=port), "ANALYTICS_FAILPOINT": failpoint}
        places = {"logs": tmp_path, "pids": tmp_path, "folder": tmp_path / f"worker-{instance}"}
        worker = ServiceProcess(
            "analytics", "worker", port=port, environment=environment, instance=instance, guarded=True, **places
        )
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture(scope="module")
def deliver(kafka_topics: str) -> Deliver:
    """Puts events on their topics in just this order and waits until Kafka has them."""
    producer = Producer({"bootstrap.servers": kafka_topics, "enable.idempotence": True, "acks": "all"})

    def send(events: Sequence[Envelope[Any]]) -> None:
        for event in events:
            m = to_kafka(event)
            producer.produce(m.topic, m.value, m.key, headers=list(m.headers), timestamp=m.timestamp_ms)
        assert producer.flush(20) == 0

    return send


@pytest.fixture
def redrive(around: Surroundings, tmp_path: Path) -> Callable[[], str]:
    """Runs the operator's command and gives its answer."""

    def run() -> str:
        environment = {**os.environ, **around.of("analytics", "redrive", port=0)}
        command = [sys.executable, "-m", "analytics", "redrive"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip().rpartition("}")[2].strip()

    return run


def some_days(happened: Any, count: int, *, seed: int) -> list[Envelope[Any]]:
    """Bookings, visits and sign-ins of some days until now, in no order, and a tenth of all delivered twice."""
    rng, now = random.Random(seed), datetime.now(UTC)
    events: list[Envelope[Any]] = []
    for _ in range(count):
        what = getattr(happened, rng.choice(["booked", "completed", "missed", "signed_in"]))
        events.append(what(now - timedelta(minutes=rng.uniform(10, 5000)), UUID(int=rng.randrange(5))))
        if rng.random() < 0.1:
            events.append(rng.choice(events))
    return events


def counted(engine: Any, tenant_id: UUID, events: Sequence[Envelope[Any]]) -> Question:
    expected = engine.batch(events, tenant_id)

    async def ask() -> bool:
        return bool(await engine.windows(tenant_id) == expected)

    return ask


def told_to_the_end(engine: Any, told: Told, tenant_id: UUID) -> Question:
    """All windows that ended before now were told as final."""

    async def ask() -> bool:
        newest = {e["window_id"]: e for e in await told(tenant_id)}
        over = [e for e in newest.values() if datetime.fromisoformat(e["window_end"]) < datetime.now(UTC) - timedelta(seconds=10)]
        return bool(over) and all(e["is_final"] for e in over) and len(newest) == len(await engine.windows(tenant_id))

    return ask


async def then_what_was_told_is_what_one_batch_gives(
    engine: Any, told: Told, tenant_id: UUID, events: Sequence[Envelope[Any]]
) -> None:
    results = await told(tenant_id)
    assert set(Counter((e["window_id"], e["revision"]) for e in results).values()) == {1}, "each revision is told once"
    first_final = Counter(e["window_id"] for e, before in _with_the_one_before(results) if e["is_final"] and not before)
    assert set(first_final.values()) <= {1}, "a window becomes final once"
    newest = {(e["metric"], e["span"], e["window_start"], str(sorted(e["dimensions"].items()))): e["count"] for e in results}
    expected = {key: contents.n for key, contents in engine.batch(events, tenant_id).items()}
    assert sorted(newest.values()) == sorted(expected.values())


def _with_the_one_before(results: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    final: dict[str, bool] = {}
    for result in results:
        yield result, final.get(result["window_id"], False)
        final[result["window_id"]] = result["is_final"]


def ends(worker: ServiceProcess) -> Question:
    async def ask() -> bool:
        return not worker.processes[0].is_alive()

    return ask


@pytest.mark.promise("AN2")
@pytest.mark.parametrize("failpoint", [f"{name}:2" for name in FAILPOINTS])
async def test_a_worker_killed_at_its_worst_moments_counts_every_event_and_tells_every_revision_once(
    engine: Any, happened: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any, failpoint: str
) -> None:
    events = some_days(happened, 300, seed=FAILPOINTS.index(failpoint.partition(":")[0]))
    deliver(events[:150])
    first = start_worker(failpoint=failpoint)
    has_counted, has_ended = counted(engine, happened.tenant_id, events[:150]), ends(first)

    async def has_come_so_far() -> bool:
        return await has_ended() or await has_counted()

    await eventually(has_come_so_far)
    deliver(events[150:])
    await eventually(has_ended)
    start_worker()
    await eventually(counted(engine, happened.tenant_id, events))
    await eventually(told_to_the_end(engine, told, happened.tenant_id))

    await then_what_was_told_is_what_one_batch_gives(engine, told, happened.tenant_id, events)


async def test_two_workers_of_which_one_is_killed_count_every_event_once(
    engine: Any, happened: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any
) -> None:
    events = some_days(happened, 900, seed=11)
    first, second = start_worker(), start_worker()
    deliver(events[:300])

    async def has_begun() -> bool:
        return bool(await engine.windows(happened.tenant_id))

    await eventually(has_begun)
    first.kill()
    for start in range(300, len(events), 100):
        deliver(events[start : start + 100])
        await asyncio.sleep(0.1)
    await eventually(counted(engine, happened.tenant_id, events))
    await eventually(told_to_the_end(engine, told, happened.tenant_id))
    await then_what_was_told_is_what_one_batch_gives(engine, told, happened.tenant_id, events)
    second.stop()


async def test_a_replay_of_all_topics_changes_and_tells_nothing(
    engine: Any, happened: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any, kafka_topics: str
) -> None:
    events = some_days(happened, 200, seed=5)
    deliver(events)
    worker = start_worker()
    await eventually(counted(engine, happened.tenant_id, events))
    await eventually(told_to_the_end(engine, told, happened.tenant_id))
    worker.stop()
    said = await told(happened.tenant_id)
    await asyncio.to_thread(_rewind, kafka_topics)
    start_worker()
    more = some_days(happened.elsewhere(), 20, seed=6)
    deliver(more)
    await eventually(counted(engine, more[0].tenant_id, more))
    await eventually(told_to_the_end(engine, told, more[0].tenant_id))

    assert await counted(engine, happened.tenant_id, events)()
    assert [e["window_id"] for e in await told(happened.tenant_id)] == [e["window_id"] for e in said]


async def test_broken_and_unknown_records_hold_nobody_up_and_can_be_redriven(
    engine: Any, happened: Any, start_worker: Start, deliver: Deliver, eventually: Any, kafka_topics: str, redrive: Any
) -> None:
    events = [happened.booked(datetime.now(UTC)) for _ in range(6)]
    message = to_kafka(events[0])
    producer = Producer({"bootstrap.servers": kafka_topics})
    broken: list[tuple[str, str | bytes | None]] = [("ce_type", AppointmentBooked.TYPE.encode())]
    unknown = [(name, b"appointment.renamed.v1" if name == "ce_type" else value) for name, value in message.headers]
    deliver(events[:3])
    producer.produce(APPOINTMENTS.name, b"\xff{", message.key, headers=broken)
    producer.produce(APPOINTMENTS.name, message.value, message.key, headers=list(unknown))
    assert producer.flush(20) == 0
    deliver(events[3:])
    start_worker()
    await eventually(counted(engine, happened.tenant_id, events))

    # What other tests left broken on the same topic is parked again beside it.
    parked = re.search(rf"{re.escape(APPOINTMENTS.name)}: (\d+) parked", await asyncio.to_thread(redrive))
    assert parked is not None
    assert int(parked[1]) >= 1
    assert await counted(engine, happened.tenant_id, events)()


async def test_windows_become_final_in_a_silence_that_the_worker_has_heard(
    engine: Any, happened: Any, start_worker: Start, deliver: Deliver, told: Told, eventually: Any
) -> None:
    deliver([happened.booked(datetime.now(UTC) - timedelta(minutes=2))])
    start_worker()

    async def is_final() -> Any:
        return [e for e in await told(happened.tenant_id) if e["span"] == "minute" and e["is_final"]]

    minute, *_ = await eventually(is_final)
    assert minute["count"] == 1


def _rewind(bootstrap: str) -> None:
    """Have the group read every topic from its beginning; it must have no members, which takes the broker a moment to see."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = {kind.TOPIC.name: kind.TOPIC.partitions for kind in LISTENS_TO}
    places = [TopicPartition(name, number, 0) for name, count in topics.items() for number in range(count)]
    deadline = time.monotonic() + 60
    while True:
        (moved,) = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(CONSUMER, places)]).values()
        try:
            moved.result(20)
        except Exception:
            assert time.monotonic() < deadline, "the group still has members"
            time.sleep(0.5)
        else:
            return
