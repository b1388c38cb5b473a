"""However many people try at once, a time is booked once: over the API, and by the database alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from appointments.domain.slots import Interval
from appointments.use_cases import appointments as use_cases
from bloom_events.appointments import VisitType
from bloom_events.ids import PatientId, TherapistId
from service_kit.errors import Problem
from service_kit.testing import as_tenant

TRIES = 1000
ROUNDS = 3


def slug_of(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


async def outcome_of_booking(clinic: Any, patient_id: Any, therapist: Any, slot: Interval) -> str:
    try:
        await use_cases.book_appointment(
            clinic.uow(),
            patient_id=PatientId(patient_id),
            therapist_id=TherapistId(therapist.id),
            visit_type=VisitType.STANDARD,
            slot=slot,
            now=clinic.clock.moment,
        )
    except Problem as refused:
        return refused.slug
    return "booked"


async def live_bookings(clinic: Any, therapist: Any) -> int:
    async with as_tenant(clinic.pool, clinic.tenant_id) as connection:
        query = "select count(*) from appointments where therapist_id = $1 and status in ('booked', 'confirmed')"
        return int(await connection.fetchval(query, therapist.id))


@pytest.mark.promise("AP4")
@pytest.mark.parametrize("attempt", range(ROUNDS))
async def test_a_thousand_concurrent_tries_on_overlapping_slots_give_one_booking(clinic: Any, attempt: int) -> None:
    # Half of them see a grid of 50 minutes, half one of 30: the slots differ and all overlap.
    therapist = await clinic.therapist(open_on=[{"weekday": 2, "opens": "10:00", "closes": "11:30"}])
    start = datetime(2030, 1, 8, 10, tzinfo=UTC)
    long, short = Interval(start, start + timedelta(minutes=50)), Interval(start, start + timedelta(minutes=30))

    async def half_way_through() -> None:
        await asyncio.sleep(0.05)
        await therapist.change("PATCH", "/api/therapists/me", {"slotMinutes": 30, "bufferAfterMinutes": 60})

    tries = [outcome_of_booking(clinic, uuid4(), therapist, long if number % 2 else short) for number in range(TRIES)]
    *outcomes, _ = await asyncio.gather(*tries, half_way_through())
    assert Counter(outcomes)["booked"] == 1
    assert set(outcomes) <= {"booked", "slot-taken", "not-a-slot"}
    assert await live_bookings(clinic, therapist) == 1
    assert len(await clinic.published("appointment.booked.v1")) == 1


@pytest.mark.promise("AP4")
async def test_a_patient_who_tries_every_therapist_at_once_gets_one(clinic: Any) -> None:
    therapists = [await clinic.therapist(f"Dr. {number}") for number in range(20)]
    patient, start = uuid4(), clinic.clock.moment + timedelta(days=1)
    slot = Interval(start, start + timedelta(minutes=50))
    outcomes = await asyncio.gather(*(outcome_of_booking(clinic, patient, each, slot) for each in therapists * 5))
    counted = Counter(outcomes)
    assert counted["booked"] == 1
    assert set(counted) <= {"booked", "patient-already-booked", "slot-taken"}


async def test_concurrent_moves_into_one_slot_leave_one_visit_there(clinic: Any) -> None:
    therapist = await clinic.therapist()
    visits = [
        (patient, await clinic.book(patient, therapist, hours=hours))
        for hours, patient in enumerate(clinic.patient() for _ in range(7))
    ]
    target = clinic.times(days=2)
    moves = [who.post(f"/api/appointments/{visit['id']}/reschedule", target) for who, visit in visits]
    answers = await asyncio.gather(*moves)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 6
    assert {slug_of(answer) for answer in answers if answer.status_code == 409} == {"slot-taken"}


async def test_concurrent_steps_on_one_visit_happen_once(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    visit = await clinic.book(patient, therapist)
    answers = await asyncio.gather(*(patient.post(f"/api/appointments/{visit['id']}/cancel") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert len(await clinic.published("appointment.cancelled.v1")) == 1


async def test_the_same_key_at_the_same_time_books_once(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    answers = await asyncio.gather(*(patient.post("/api/appointments", body, Idempotency_Key="once") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert {slug_of(answer) for answer in answers if answer.status_code == 409} <= {"request-in-progress"}
    assert await live_bookings(clinic, therapist) == 1


INSERT = """
    insert into appointments (id, patient_id, therapist_id, visit_type, status, starts_at, ends_at, blocked_from,
                              blocked_until, revision, booked_at, closed_at, cancelled_by)
    values ($1, $2, $3, 'standard', $4, $5::timestamptz, $5::timestamptz + interval '50 min',
            $5::timestamptz - interval '10 min', $5::timestamptz + interval '60 min', 1, now(),
            case when $4 = 'cancelled' then now() end, case when $4 = 'cancelled' then 'patient' end)
"""


@pytest.mark.promise("AP9")
@pytest.mark.parametrize(
    ("same", "minutes", "status", "constraint"),
    [
        ("therapist_id", 0, "booked", "therapist_is_free"),
        ("therapist_id", 65, "confirmed", "therapist_is_free"),
        ("therapist_id", -65, "booked", "therapist_is_free"),
        ("patient_id", 45, "booked", "patient_is_free"),
        ("therapist_id", 70, "booked", None),
        ("patient_id", 50, "booked", None),
        ("therapist_id", 0, "cancelled", None),
        ("nobody", 0, "booked", None),
    ],
)
async def test_the_database_itself_refuses_a_double_booking(
    *, clinic: Any, same: str, minutes: int, status: str, constraint: str | None
) -> None:
    first, second = await clinic.therapist("Dr. A", open_on=None), await clinic.therapist("Dr. B", open_on=None)
    start, patient = datetime(2030, 1, 8, 10, tzinfo=UTC), uuid4()
    whom = first.id if same == "therapist_id" else second.id
    who = patient if same == "patient_id" else uuid4()
    async with as_tenant(clinic.pool, clinic.tenant_id) as connection:
        await connection.execute(INSERT, uuid4(), patient, first.id, "booked", start)
        later = (uuid4(), who, whom, status, start + timedelta(minutes=minutes))
        if constraint is None:
            assert await connection.execute(INSERT, *later) == "INSERT 0 1"
        else:
            with pytest.raises(asyncpg.ExclusionViolationError) as refused:
                await connection.execute(INSERT, *later)
            assert refused.value.constraint_name == constraint


@pytest.mark.promise("AP9")
async def test_the_constraint_alone_lets_one_of_many_concurrent_inserts_through(clinic: Any) -> None:
    therapist, start = await clinic.therapist(open_on=None), datetime(2030, 1, 8, 10, tzinfo=UTC)

    async def insert(minutes: int) -> str:
        try:
            async with as_tenant(clinic.pool, clinic.tenant_id) as connection:
                values = (uuid4(), uuid4(), therapist.id, "booked", start + timedelta(minutes=minutes))
                return str(await connection.execute(INSERT, *values))
        # Those who wait for each other are told apart a second at a time, until one of them waits longer than statements may.
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError, asyncpg.QueryCanceledError) as refused:
            return type(refused).__name__

    outcomes = Counter(await asyncio.gather(*(insert(number % 40) for number in range(60))))
    assert outcomes["INSERT 0 1"] == 1
    assert await live_bookings(clinic, therapist) == 1
