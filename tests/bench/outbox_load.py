"""Loads for the outbox: a backlog that becomes visible at one moment, and events at a steady rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
from confluent_kafka import Consumer, TopicPartition

from bloom_events.appointments import AppointmentBooked, VisitType
from bloom_events.envelope import KafkaMessage, to_kafka, wrap
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId, new_id
from service_kit.outbox import pack_headers

TENANT = TenantId(UUID(int=1))
_COLUMNS = ["event_id", "tenant_id", "topic", "type", "key", "headers", "payload", "timestamp_ms"]


def booked() -> AppointmentBooked:
    """An event of a usual size (about 350 bytes of body), for an appointment of its own."""
    start = datetime(2030, 1, 7, 9, tzinfo=UTC)
    return AppointmentBooked(
        appointment_id=AppointmentId(new_id()),
        revision=1,
        patient_id=PatientId(uuid4()),
        therapist_id=TherapistId(uuid4()),
        visit_type=VisitType.STANDARD,
        starts_at=start,
        ends_at=start.replace(minute=50),
    )


def messages(count: int) -> list[KafkaMessage]:
    """So many records, as the outbox would put them on the wire."""
    now = datetime.now(UTC)
    envelopes = (
        wrap(booked(), source="/bloom/appointments", tenant_id=TENANT, time=now, correlation_id=uuid4()) for _ in range(count)
    )
    return [to_kafka(envelope) for envelope in envelopes]


def outbox_rows(records: Sequence[KafkaMessage]) -> list[tuple[object, ...]]:
    """The same records as rows of the outbox table."""
    return [
        (uuid4(), TENANT, each.topic, AppointmentBooked.TYPE, each.key, pack_headers(each.headers), each.value, each.timestamp_ms)
        for each in records
    ]


async def commit_backlog(connection: asyncpg.Connection[asyncpg.Record], rows: Sequence[tuple[object, ...]]) -> float:
    """Write all rows in one transaction; returns the moment before the commit that makes them visible (monotonic seconds)."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.copy_records_to_table("outbox", records=rows, columns=_COLUMNS)
    started = time.monotonic()
    await transaction.commit()
    return started


class TopicEnd:
    """How many records a topic has taken, asked of the broker itself."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "log_level": 0})
        self._partitions = [
            TopicPartition(topic, number) for number in self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]

    def count(self) -> int:
        """The sum of the partitions' ends."""
        return sum(self._consumer.get_watermark_offsets(partition, timeout=10)[1] for partition in self._partitions)

    async def reached(self, count: int, *, limit_seconds: float = 120.0) -> float:
        """Wait until the topic holds `count` records; returns the moment it was seen (monotonic seconds, to about 20 ms)."""
        deadline = time.monotonic() + limit_seconds
        while await asyncio.to_thread(self.count) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the topic did not reach {count} records")
            await asyncio.sleep(0.02)
        return time.monotonic()

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()
