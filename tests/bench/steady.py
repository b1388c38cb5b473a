"""Events at a steady rate through the unit of work, and when a consumer has each."""

from __future__ import annotations

import asyncio
import threading
import time
from uuid import UUID, uuid4

from confluent_kafka import Consumer, TopicPartition
from pydantic import SecretStr
from tests.bench.outbox_load import TENANT, booked
from tests.faults.lab import World
from tests.faults.row import until

from bloom_events.topics import APPOINTMENTS
from service_kit.database import create_pool
from service_kit.unit_of_work import Context, UnitOfWork

LIMIT_SECONDS = 30.0


class Arrivals:
    """A consumer on a thread that notes when it saw each key (monotonic seconds)."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.at: dict[UUID, float] = {}
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"bench-{uuid4()}",
                "fetch.wait.max.ms": 5,
                "fetch.error.backoff.ms": 5,
                "log_level": 0,
            }
        )
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = [
            (number, self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]) for number in partitions
        ]
        self._consumer.assign([TopicPartition(topic, number, end) for number, end in ends])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.05)
            now = time.monotonic()
            if message is not None and message.error() is None:
                self.at[UUID(bytes(message.key() or b"").decode())] = now

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()


async def latencies(world: World, *, rate: int, seconds: float) -> list[float]:
    """Milliseconds from the return of each event's commit to its arrival at a consumer, the first second left out."""
    database = await world.database("appointments")
    pool = await create_pool(SecretStr(database.app_url), size=8, application_name="bench")
    arrivals = Arrivals(world.kafka.bootstrap, APPOINTMENTS.name)
    committed: dict[UUID, float] = {}

    async def publish() -> None:
        event = booked()
        uow = UnitOfWork(pool, source="/bloom/appointments", context=Context(TENANT, uuid4()))
        async with uow.begin() as transaction:
            await transaction.publish(event)
        committed[event.appointment_id] = time.monotonic()

    async def all_arrived() -> bool:
        return committed.keys() <= arrivals.at.keys()

    try:
        async with pool, asyncio.TaskGroup() as group:
            started = time.monotonic()
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
                group.create_task(publish())
        await until(all_arrived, seconds=LIMIT_SECONDS, what="the arrival of every event", pause=0.05)
    finally:
        arrivals.close()
    counted = [key for key, moment in committed.items() if moment - started > 1.0]
    return [(arrivals.at[key] - committed[key]) * 1000 for key in counted]
