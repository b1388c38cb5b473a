"""Each transition gives the new state and its event, and refuses what makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from appointments.domain.appointments import Actor, Appointment, Status
from appointments.domain.outcomes import (
    AlreadyCancelled,
    AlreadyCompleted,
    AlreadyConfirmed,
    AlreadyMissed,
    NotCompleted,
    SameTime,
    VisitAlreadyOver,
    VisitAlreadyStarted,
    VisitNotStarted,
)
from appointments.domain.slots import Interval, Schedule
from bloom_events.appointments import AppointmentEvent, VisitType
from bloom_events.auth import Role
from bloom_events.ids import AppointmentId, PatientId, TherapistId

PATIENT, THERAPIST, ADMINISTRATOR = (Actor(uuid4(), role) for role in Role)
Utc = Callable[[str], datetime]


@pytest.fixture
def now(utc: Utc) -> datetime:
    return utc("2030-01-07T09:00")


@pytest.fixture
def schedule(schedule_of: Any) -> Schedule:
    made: Schedule = schedule_of(slot=50, before=5, after=10)
    return made


@pytest.fixture
def slot(utc: Utc) -> Interval:
    return Interval(utc("2030-01-08T09:00"), utc("2030-01-08T09:50"))


@pytest.fixture
def other_slot(utc: Utc) -> Interval:
    return Interval(utc("2030-01-09T10:05"), utc("2030-01-09T10:55"))


@pytest.fixture
def booked(schedule: Schedule, slot: Interval, now: datetime) -> Appointment:
    return Appointment.book(
        appointment_id=AppointmentId(uuid4()),
        patient_id=PatientId(PATIENT.user_id),
        therapist_id=TherapistId(THERAPIST.user_id),
        visit_type=VisitType.STANDARD,
        slot=slot,
        schedule=schedule,
        now=now,
    )[0]


def during(appointment: Appointment) -> datetime:
    return appointment.time.start + timedelta(minutes=10)


def test_a_new_booking_is_live_blocks_its_buffers_and_names_both_attendees(booked: Appointment, slot: Interval) -> None:
    assert booked.status is Status.BOOKED
    assert booked.blocked == Interval(slot.start - timedelta(minutes=5), slot.end + timedelta(minutes=10))
    assert {each.role: each.user_id for each in booked.attendees} == {
        "patient": PATIENT.user_id,
        "therapist": THERAPIST.user_id,
    }


def test_every_transition_counts_the_revision_and_its_event_carries_the_whole_state(
    booked: Appointment, other_slot: Interval, schedule: Schedule, now: datetime
) -> None:
    moved, rescheduled = booked.reschedule(other_slot, schedule=schedule, now=now)
    confirmed, accepted = moved.confirm(now)
    completed, held = confirmed.complete(during(confirmed))
    corrected, credited = completed.correct("cancelled", ADMINISTRATOR, during(confirmed))
    events: list[AppointmentEvent] = [rescheduled, accepted, held, credited]
    assert [event.revision for event in events] == [2, 3, 4, 5]
    assert corrected.revision == 5
    for event in events:
        assert (event.appointment_id, event.patient_id, event.therapist_id) == (booked.id, booked.patient_id, booked.therapist_id)
        assert (event.starts_at, event.ends_at, event.visit_type) == (other_slot.start, other_slot.end, VisitType.STANDARD)


def test_a_moved_visit_has_to_be_confirmed_anew(
    booked: Appointment, other_slot: Interval, schedule: Schedule, now: datetime
) -> None:
    confirmed, _ = booked.confirm(now)
    moved, event = confirmed.reschedule(other_slot, schedule=schedule, now=now)
    assert (moved.status, moved.confirmed_at) == (Status.BOOKED, None)
    assert (event.previous_starts_at, event.previous_ends_at) == (booked.time.start, booked.time.end)


def test_moving_to_the_same_time_or_after_the_start_is_refused(
    booked: Appointment, slot: Interval, other_slot: Interval, schedule: Schedule, now: datetime
) -> None:
    with pytest.raises(SameTime):
        booked.reschedule(slot, schedule=schedule, now=now)
    with pytest.raises(VisitAlreadyStarted):
        booked.reschedule(other_slot, schedule=schedule, now=booked.time.start)


def test_confirming_twice_or_after_the_end_is_refused(booked: Appointment, now: datetime) -> None:
    confirmed, _ = booked.confirm(now)
    with pytest.raises(AlreadyConfirmed):
        confirmed.confirm(now)
    with pytest.raises(VisitAlreadyOver):
        booked.confirm(booked.time.end)


@pytest.mark.parametrize(("actor", "party"), [(PATIENT, "patient"), (THERAPIST, "therapist"), (ADMINISTRATOR, "administrator")])
def test_a_cancellation_says_whose_it_was_and_when(booked: Appointment, now: datetime, actor: Actor, party: str) -> None:
    cancelled, event = booked.cancel(actor, now)
    assert (cancelled.status, cancelled.cancelled_by, cancelled.closed_at) == (Status.CANCELLED, party, now)
    assert (event.cancelled_by, event.cancelled_at) == (party, now)


def test_a_patient_cannot_cancel_a_visit_that_has_started_and_the_therapist_can(booked: Appointment) -> None:
    with pytest.raises(VisitAlreadyStarted):
        booked.cancel(PATIENT, booked.time.start)
    assert booked.cancel(THERAPIST, during(booked))[0].status is Status.CANCELLED


def test_an_outcome_cannot_be_recorded_before_the_visit_starts(booked: Appointment) -> None:
    early = booked.time.start - timedelta(seconds=1)
    with pytest.raises(VisitNotStarted):
        booked.complete(early)
    with pytest.raises(VisitNotStarted):
        booked.record_no_show(early)
    assert booked.complete(booked.time.start)[0].status is Status.COMPLETED
    assert booked.record_no_show(booked.time.start)[0].status is Status.NO_SHOW


@pytest.mark.parametrize(
    ("end", "refusal"), [("cancel", AlreadyCancelled), ("complete", AlreadyCompleted), ("record_no_show", AlreadyMissed)]
)
def test_what_is_over_stays_over(
    *, booked: Appointment, end: str, refusal: Any, schedule: Schedule, other_slot: Interval, now: datetime
) -> None:
    at = during(booked)
    arguments = (ADMINISTRATOR, at) if end == "cancel" else (at,)
    over: Appointment = getattr(booked, end)(*arguments)[0]
    for again in (
        lambda: over.confirm(at),
        lambda: over.cancel(ADMINISTRATOR, at),
        lambda: over.complete(at),
        lambda: over.record_no_show(at),
        lambda: over.reschedule(other_slot, schedule=schedule, now=now),
    ):
        with pytest.raises(refusal):
            again()


def test_only_a_completed_visit_can_be_corrected_and_only_once(booked: Appointment) -> None:
    at = during(booked)
    with pytest.raises(NotCompleted):
        booked.correct("no_show", THERAPIST, at)
    corrected, event = booked.complete(at)[0].correct("no_show", THERAPIST, at)
    assert (corrected.status, corrected.cancelled_by, event.corrected_to) == (Status.NO_SHOW, None, "no_show")
    with pytest.raises(NotCompleted):
        corrected.correct("cancelled", THERAPIST, at)
