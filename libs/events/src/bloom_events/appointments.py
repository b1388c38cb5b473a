"""Events of appointments: every one carries the whole state that a reader needs."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from bloom_events.event import Event, PlainText, Revision, UtcTime
from bloom_events.ids import AppointmentId, PatientId, TherapistId
from bloom_events.topics import APPOINTMENTS, THERAPISTS, Topic


class VisitType(StrEnum):
    """The kinds of visit that can be booked and are priced."""

    INITIAL = "initial"
    STANDARD = "standard"
    EXTENDED = "extended"


class AppointmentEvent(Event):
    """Something that happened to an appointment, with its state after that."""

    TOPIC: ClassVar[Topic] = APPOINTMENTS
    KEY: ClassVar[str] = "appointment_id"

    appointment_id: AppointmentId
    """The appointment."""
    revision: Revision
    """Counts the appointment's changes from 1; a lower one than already seen is late."""
    patient_id: PatientId
    """Who is treated."""
    therapist_id: TherapistId
    """Who treats."""
    visit_type: VisitType
    """What was booked."""
    starts_at: UtcTime
    """The planned start."""
    ends_at: UtcTime
    """The planned end."""


class AppointmentBooked(AppointmentEvent):
    """A patient took a slot."""

    TYPE: ClassVar[str] = "appointment.booked.v1"


class AppointmentRescheduled(AppointmentEvent):
    """The appointment moved to another time."""

    TYPE: ClassVar[str] = "appointment.rescheduled.v1"

    previous_starts_at: UtcTime
    """The start before the move."""
    previous_ends_at: UtcTime
    """The end before the move."""


class AppointmentConfirmed(AppointmentEvent):
    """The therapist confirmed the appointment."""

    TYPE: ClassVar[str] = "appointment.confirmed.v1"


class AppointmentCancelled(AppointmentEvent):
    """The appointment will not take place; whether that was late is the reader's policy."""

    TYPE: ClassVar[str] = "appointment.cancelled.v1"

    cancelled_by: Literal["patient", "therapist", "administrator"]
    """Whose decision it was."""
    cancelled_at: UtcTime
    """When it was decided."""


class AppointmentCompleted(AppointmentEvent):
    """The visit took place."""

    TYPE: ClassVar[str] = "appointment.completed.v1"

    completed_at: UtcTime
    """When the therapist recorded it."""


class AppointmentMissed(AppointmentEvent):
    """The patient did not come."""

    TYPE: ClassVar[str] = "appointment.missed.v1"

    recorded_at: UtcTime
    """When the therapist recorded it."""


class AppointmentCorrected(AppointmentEvent):
    """A visit recorded as completed did not take place after all."""

    TYPE: ClassVar[str] = "appointment.corrected.v1"

    corrected_to: Literal["no_show", "cancelled"]
    """What really happened."""
    corrected_at: UtcTime
    """When the record was corrected."""


class TherapistProfileChanged(Event):
    """A therapist's entry in the directory is now this."""

    TYPE: ClassVar[str] = "therapist.profile-changed.v1"
    TOPIC: ClassVar[Topic] = THERAPISTS
    KEY: ClassVar[str] = "therapist_id"

    therapist_id: TherapistId
    """The therapist."""
    display_name: PlainText
    """The name under which the therapist practises."""
    accepts_new_patients: bool
    """Whether a patient who was never here may book."""
    time_zone: PlainText
    """The IANA name of the zone in which the therapist's week is planned."""


EVENTS: tuple[type[Event], ...] = (
    AppointmentBooked,
    AppointmentRescheduled,
    AppointmentConfirmed,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentMissed,
    AppointmentCorrected,
    TherapistProfileChanged,
)
