"""Booked appointments for the rows about windows: so many events over so many groups and minutes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from confluent_kafka import Producer

from bloom_events.appointments import AppointmentBooked, VisitType
from bloom_events.envelope import KafkaMessage, to_kafka, wrap
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId
from bloom_events.topics import APPOINTMENTS

TOPIC = APPOINTMENTS.name
_FIRST = datetime(2026, 1, 5, tzinfo=UTC)
_TENANTS = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """How many events, of how many therapists, in how many minutes.

    Times go on with the events, off by a minute or two; or, if `is_anywhere`, any of the minutes may come at any time.
    """

    events: int
    therapists: int
    minutes: int
    is_anywhere: bool = False


def produce(bootstrap: str, shape: Shape) -> None:
    """Put the events on the topic of appointments, keyed by tenant and therapist; returns when Kafka has them."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 20, "log_level": 0}
    )
    for message in messages(shape):
        while True:
            try:
                producer.produce(
                    TOPIC, key=message.key, value=message.value, headers=dict(message.headers), timestamp=message.timestamp_ms
                )
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(60):
        raise TimeoutError("Kafka did not take the events")


def messages(shape: Shape) -> Iterator[KafkaMessage]:
    """The records of the events."""
    rng = random.Random(1)
    tenants = [TenantId(UUID(int=rng.getrandbits(128), version=4)) for _ in range(_TENANTS)]
    therapists = [(rng.choice(tenants), TherapistId(UUID(int=rng.getrandbits(128), version=4))) for _ in range(shape.therapists)]
    for number in range(shape.events):
        tenant_id, therapist_id = rng.choice(therapists)
        share = rng.random() if shape.is_anywhere else number / shape.events
        at = _FIRST + timedelta(minutes=shape.minutes * share, seconds=0 if shape.is_anywhere else rng.uniform(0, 90))
        message = booked(tenant_id, therapist_id, at)
        yield message._replace(key=f"{tenant_id}|{therapist_id}".encode())


def booked(tenant_id: TenantId, therapist_id: TherapistId, at: datetime) -> KafkaMessage:
    """The record of one booking."""
    event = AppointmentBooked(
        appointment_id=AppointmentId(uuid4()),
        revision=1,
        patient_id=PatientId(uuid4()),
        therapist_id=therapist_id,
        visit_type=VisitType.STANDARD,
        starts_at=at + timedelta(days=1),
        ends_at=at + timedelta(days=1, minutes=50),
    )
    return to_kafka(wrap(event, source="/bloom/bench", tenant_id=tenant_id, time=at, correlation_id=tenant_id))
