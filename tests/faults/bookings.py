"""A load of bookings: therapists with endless free slots, writers that book one by one and remember what was answered."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
from tests.faults.lab import World
from tests.faults.log_reader import read_topic
from tests.faults.row import missing

from bloom_events.topics import APPOINTMENTS

SLOT = timedelta(minutes=5)
_THERAPIST = """
insert into therapists (tenant_id, id, display_name, accepts_new_patients, time_zone, slot_minutes, buffer_before_minutes,
    buffer_after_minutes, languages, specialties, revision)
values ($1, $2, 'Therapist', true, 'UTC', 5, 0, 0, '{}', '{}', 1)
"""
_HOURS = """
insert into weekly_hours (tenant_id, therapist_id, weekday, opens_minute, closes_minute)
select $1, $2, day, 0, 1440 from generate_series(1, 7) as day
"""


@dataclass
class Clinic:
    """A tenant whose therapists are open around the clock, and everything that its writers were told."""

    tenant_id: UUID
    therapists: list[UUID]
    accepted: dict[UUID, dict[str, object]] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    unanswered: int = 0


async def open_clinic(world: World, *, therapists: int) -> Clinic:
    """Write the directory rows of a new tenant straight into the appointments database."""
    clinic = Clinic(uuid4(), [uuid4() for _ in range(therapists)])
    connection = await world.superuser("appointments")
    try:
        for therapist in clinic.therapists:
            await connection.execute(_THERAPIST, clinic.tenant_id, therapist)
            await connection.execute(_HOURS, clinic.tenant_id, therapist)
    finally:
        await connection.close()
    return clinic


def slots() -> Iterator[dict[str, str]]:
    """Slots one after the other from the day after tomorrow on, as a booking names them."""
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    for number in itertools.count():
        start = first + number * SLOT
        yield {"startAt": written(start), "endAt": written(start + SLOT)}


def written(moment: datetime) -> str:
    """RFC 3339 with a Z."""
    return moment.isoformat().replace("+00:00", "Z")


async def book_until(
    world: World, clinic: Clinic, *ports: int, writers: int, count: int | None = None, stop: asyncio.Event | None = None
) -> None:
    """Book `count` slots in all, or until stopped, each writer with its own therapist.

    What is not answered is asked again with its key, of the API at the next port if there are several.
    """
    left = itertools.count()

    def is_over() -> bool:
        return (stop is not None and stop.is_set()) or (count is not None and next(left) >= count)

    async with httpx.AsyncClient(timeout=10) as client:

        async def write(therapist: UUID, apis: Iterator[str]) -> None:
            for slot in slots():
                if is_over():
                    return
                await _book(world, client, clinic, therapist, slot, apis)

        async with asyncio.TaskGroup() as group:
            for number in range(writers):
                turned = ports[number % len(ports) :] + ports[: number % len(ports)]
                apis = itertools.cycle(f"http://127.0.0.1:{port}/api/appointments" for port in turned)
                group.create_task(write(clinic.therapists[number % len(clinic.therapists)], apis))


async def _book(
    world: World, client: httpx.AsyncClient, clinic: Clinic, therapist: UUID, slot: dict[str, str], apis: Iterator[str]
) -> None:
    patient, key = uuid4(), str(uuid4())
    headers = world.lab.issuer.headers(role="PATIENT", tenant_id=clinic.tenant_id, subject=patient)
    body = {"therapistId": str(therapist), "visitType": "standard", **slot}
    while True:
        try:
            answer = await client.post(next(apis), json=body, headers={**headers, "Idempotency-Key": key})
        except httpx.TransportError:
            clinic.unanswered += 1
            await asyncio.sleep(0.02)
            continue
        if answer.status_code in {409, 503} and "retry-after" in answer.headers:
            await asyncio.sleep(0.1)
            continue
        if answer.is_success:
            appointment = answer.json()["appointment"]
            clinic.accepted[UUID(appointment["id"])] = appointment
        else:
            clinic.refused.append(answer.status_code)
        return


async def differences(world: World, clinic: Clinic) -> list[str]:
    """What the clinic was told, its rows and the events in Kafka do not agree about."""
    connection = await world.superuser("appointments")
    try:
        rows: set[UUID] = {
            row[0] for row in await connection.fetch("select id from appointments where tenant_id = $1", clinic.tenant_id)
        }
    finally:
        await connection.close()
    records = await asyncio.to_thread(read_topic, world.kafka.bootstrap, APPOINTMENTS.name)
    seen = {UUID(record.key.decode()) for record in records if record.tenant_id == clinic.tenant_id}
    return [
        *missing(set(clinic.accepted), set(rows), "answered bookings are not in PostgreSQL"),
        *missing(set(rows), set(seen), "rows are not in Kafka"),
        *missing(set(seen), set(rows), "events in Kafka have no row"),
        *([f"{len(clinic.refused)} bookings refused: {sorted(set(clinic.refused))}"] if clinic.refused else []),
    ]
