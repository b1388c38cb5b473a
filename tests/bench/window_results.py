"""Row about results: from an event handed to Kafka to the first result that counts it, by way of tables, outbox and relay."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.bench.measure import percentile, sized, spread
from tests.bench.window_load import booked
from tests.faults.lab import Lab, World
from tests.faults.log_reader import ends_of
from tests.faults.row import until

from bloom_events.ids import TenantId, TherapistId
from bloom_events.topics import APPOINTMENT_RESULTS
from tools.results import Row

PER_SECOND, SECONDS, ROUNDS = 50, 20, 3
_TENANT = TenantId(UUID(int=1))
_LIMIT_SECONDS = 60.0


class Results:
    """A consumer on a thread that notes when the first result of each therapist's minute came (monotonic seconds)."""

    def __init__(self, bootstrap: str) -> None:
        self.at: dict[UUID, float] = {}
        self._stop = threading.Event()
        options = {"bootstrap.servers": bootstrap, "group.id": f"bench-{uuid4()}", "fetch.wait.max.ms": 5, "log_level": 0}
        self._consumer = Consumer(options)
        name = APPOINTMENT_RESULTS.name
        self._consumer.assign([TopicPartition(name, number, end) for number, end in ends_of(bootstrap, name).items()])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.05)
            now = time.monotonic()
            if message is None or message.error() is not None:
                continue
            result = orjson.loads(message.value() or b"{}")
            therapist = result["dimensions"].get("therapist_id")
            if therapist and result["metric"] == "appointments.booked" and result["span"] == "minute":
                self.at.setdefault(UUID(therapist), now)

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()


async def event_to_result(*, long: bool) -> list[Row]:
    """Milliseconds from the append of a booking to the first result of its therapist's minute, at a steady rate.

    A second of it is the pause that every window keeps between two results (`ANALYTICS_UPDATE_SECONDS`).
    """
    async with Lab({"max_connections": "100", "shared_buffers": "256MB"}) as lab, lab.world() as world:
        await world.started("analytics", "relay")
        await world.started("analytics", "worker")
        # The first round warms everything up.
        rounds = [await latencies(world) for _ in range(1 + sized(2 * ROUNDS if long else ROUNDS, least=1))][1:]
    p50 = statistics.median(percentile(each, 0.5) for each in rounds)
    p99 = statistics.median(percentile(each, 0.99) for each in rounds)
    detail: dict[str, object] = {
        "bookings_per_s": PER_SECOND,
        "rounds_p50": spread([percentile(each, 0.5) for each in rounds]),
        "rounds_p99": spread([percentile(each, 0.99) for each in rounds]),
    }
    say = f"event to result, {PER_SECOND} bookings/s"
    return [
        Row("event-to-result", f"{say}, p50", round(p50, 1), "ms", "<= 1200", p50 <= 1200, detail),
        Row("event-to-result-p99", f"{say}, p99", round(p99, 1), "ms", "<= 1500", p99 <= 1500, detail),
    ]


async def latencies(world: World) -> list[float]:
    """Milliseconds of each booking of one round; each is of a therapist of its own, so that a result tells which it counts."""
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap, "enable.idempotence": True, "linger.ms": 0, "log_level": 0})
    results, appended = Results(world.kafka.bootstrap), dict[UUID, float]()

    async def all_told() -> bool:
        return appended.keys() <= results.at.keys()

    try:
        started = time.monotonic()
        for number in range(sized(PER_SECOND * SECONDS, least=PER_SECOND)):
            await asyncio.sleep(max(0.0, started + number / PER_SECOND - time.monotonic()))
            therapist = TherapistId(uuid4())
            message = booked(_TENANT, therapist, datetime.now(UTC))
            appended[therapist] = time.monotonic()
            producer.produce(message.topic, key=message.key, value=message.value, headers=dict(message.headers))
            producer.poll(0)
        await asyncio.to_thread(producer.flush, 10)
        await until(all_told, seconds=_LIMIT_SECONDS, what="a result of every booking", pause=0.05)
    finally:
        results.close()
    return [(results.at[key] - moment) * 1000 for key, moment in appended.items()]
