"""The life of an appointment: each transition returns the new state and its event, or refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID

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
from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentCorrected,
    AppointmentMissed,
    AppointmentRescheduled,
    VisitType,
)
from bloom_events.auth import Role
from bloom_events.ids import AppointmentId, PatientId, TherapistId

Party = Literal["patient", "therapist", "administrator"]

_PARTIES: dict[Role, Party] = {Role.PATIENT: "patient", Role.THERAPIST: "therapist", Role.ADMINISTRATOR: "administrator"}


class Status(StrEnum):
    """Where an appointment stands. Booked and confirmed ones are live: they hold their time."""

    BOOKED = "booked"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"

    @property
    def is_live(self) -> bool:
        """Whether the visit is still to come or to be recorded."""
        return self in {Status.BOOKED, Status.CONFIRMED}


_CLOSED = {Status.CANCELLED: AlreadyCancelled, Status.COMPLETED: AlreadyCompleted, Status.NO_SHOW: AlreadyMissed}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the account and its role."""

    user_id: UUID
    role: Role

    @property
    def party(self) -> Party:
        """The side of an appointment that this role speaks for."""
        return _PARTIES[self.role]


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody who takes part in the visit."""

    user_id: UUID
    role: Literal["patient", "therapist"]


@dataclass(frozen=True, slots=True)
class Appointment:
    """One visit of a patient with a therapist. `blocked` is the visit with the buffers that held when it was booked."""

    id: AppointmentId
    patient_id: PatientId
    therapist_id: TherapistId
    visit_type: VisitType
    status: Status
    time: Interval
    blocked: Interval
    revision: int
    booked_at: datetime
    attendees: tuple[Attendee, ...]
    confirmed_at: datetime | None = None
    cancelled_by: Party | None = None
    closed_at: datetime | None = None

    @classmethod
    def book(
        cls,
        *,
        appointment_id: AppointmentId,
        patient_id: PatientId,
        therapist_id: TherapistId,
        visit_type: VisitType,
        slot: Interval,
        schedule: Schedule,
        now: datetime,
    ) -> tuple[Self, AppointmentBooked]:
        """A patient takes a slot of the therapist's schedule; which the therapist still has to confirm."""
        appointment = cls(
            id=appointment_id,
            patient_id=patient_id,
            therapist_id=therapist_id,
            visit_type=visit_type,
            status=Status.BOOKED,
            time=schedule.slot_at(slot, now),
            blocked=schedule.block_of(slot),
            revision=1,
            booked_at=now.astimezone(UTC),
            attendees=(Attendee(patient_id, "patient"), Attendee(therapist_id, "therapist")),
        )
        return appointment, AppointmentBooked(**_facts(appointment))

    def reschedule(self, slot: Interval, *, schedule: Schedule, now: datetime) -> tuple[Self, AppointmentRescheduled]:
        """Moves the visit to another slot, before it starts; it has to be confirmed anew."""
        self._must_be_live()
        if now >= self.time.start:
            raise VisitAlreadyStarted
        if slot == self.time:
            raise SameTime
        time = schedule.slot_at(slot, now)
        moved = self._next(status=Status.BOOKED, time=time, blocked=schedule.block_of(time), confirmed_at=None)
        event = AppointmentRescheduled(**_facts(moved), previous_starts_at=self.time.start, previous_ends_at=self.time.end)
        return moved, event

    def confirm(self, now: datetime) -> tuple[Self, AppointmentConfirmed]:
        """The therapist accepts the booking, until the visit is over."""
        self._must_be_live()
        if self.status is Status.CONFIRMED:
            raise AlreadyConfirmed
        if now >= self.time.end:
            raise VisitAlreadyOver
        confirmed = self._next(status=Status.CONFIRMED, confirmed_at=now)
        return confirmed, AppointmentConfirmed(**_facts(confirmed))

    def cancel(self, actor: Actor, now: datetime) -> tuple[Self, AppointmentCancelled]:
        """Calls the visit off; a patient can do so only before it starts."""
        self._must_be_live()
        if actor.role is Role.PATIENT and now >= self.time.start:
            raise VisitAlreadyStarted
        cancelled = self._next(status=Status.CANCELLED, cancelled_by=actor.party, closed_at=now)
        return cancelled, AppointmentCancelled(**_facts(cancelled), cancelled_by=actor.party, cancelled_at=now)

    def complete(self, now: datetime) -> tuple[Self, AppointmentCompleted]:
        """Records that the visit took place."""
        self._must_have_started(now)
        completed = self._next(status=Status.COMPLETED, closed_at=now)
        return completed, AppointmentCompleted(**_facts(completed), completed_at=now)

    def record_no_show(self, now: datetime) -> tuple[Self, AppointmentMissed]:
        """Records that the patient did not come."""
        self._must_have_started(now)
        missed = self._next(status=Status.NO_SHOW, closed_at=now)
        return missed, AppointmentMissed(**_facts(missed), recorded_at=now)

    def correct(
        self, corrected_to: Literal["no_show", "cancelled"], actor: Actor, now: datetime
    ) -> tuple[Self, AppointmentCorrected]:
        """Takes back a completion: the visit did not take place after all."""
        if self.status is not Status.COMPLETED:
            raise NotCompleted
        cancelled_by = actor.party if corrected_to == "cancelled" else None
        corrected = self._next(status=Status(corrected_to), cancelled_by=cancelled_by, closed_at=now)
        return corrected, AppointmentCorrected(**_facts(corrected), corrected_to=corrected_to, corrected_at=now)

    def _must_be_live(self) -> None:
        if not self.status.is_live:
            raise _CLOSED[self.status]

    def _must_have_started(self, now: datetime) -> None:
        self._must_be_live()
        if now < self.time.start:
            raise VisitNotStarted

    def _next(self, **changes: Any) -> Self:
        return replace(self, revision=self.revision + 1, **changes)


@dataclass(frozen=True, slots=True)
class AppointmentFilter:
    """What narrows a list of appointments; None means any. `starts_from` is included, `starts_before` is not."""

    statuses: tuple[Status, ...] | None = None
    starts_from: datetime | None = None
    starts_before: datetime | None = None
    therapist_id: UUID | None = None
    patient_id: UUID | None = None


def _facts(appointment: Appointment) -> dict[str, Any]:
    """The fields that every appointment event carries."""
    return {
        "appointment_id": appointment.id,
        "revision": appointment.revision,
        "patient_id": appointment.patient_id,
        "therapist_id": appointment.therapist_id,
        "visit_type": appointment.visit_type,
        "starts_at": appointment.time.start,
        "ends_at": appointment.time.end,
    }
