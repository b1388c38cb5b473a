"""Bodies of appointments."""

from __future__ import annotations

from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from appointments.domain.appointments import Appointment, Attendee, Party, Status
from appointments.domain.slots import Interval
from appointments.schemas.fields import Instant, Moment, Request, Response
from bloom_events.appointments import VisitType

_EXAMPLE_ID = "0195a000-0000-7000-8000-000000000001"
_TIMES: JsonDict = {"startAt": "2026-03-02T09:00:00Z", "endAt": "2026-03-02T09:50:00Z"}


class TimesRequest(Request):
    """The exact times of a slot as the therapist's slots list them."""

    start_at: Moment
    end_at: Moment

    @property
    def slot(self) -> Interval:
        """The times as the domain holds them."""
        return Interval(self.start_at, self.end_at)


class BookingRequest(TimesRequest):
    """What a patient wants to book. Every visit type takes one slot of the therapist; the type decides the price."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"therapistId": _EXAMPLE_ID, **_TIMES, "visitType": "standard"}]})

    therapist_id: UUID
    visit_type: VisitType


class RescheduleRequest(TimesRequest):
    """The slot to move to."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TIMES]})


class CorrectionRequest(Request):
    """What really became of a visit that was recorded as completed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"correctedTo": "no_show"}]})

    corrected_to: Literal["no_show", "cancelled"]


class AttendeeResponse(Response):
    """Somebody who takes part in the visit."""

    user_id: UUID
    role: Literal["patient", "therapist"]

    @classmethod
    def of(cls, attendee: Attendee) -> Self:
        return cls(user_id=attendee.user_id, role=attendee.role)


class AppointmentResponse(Response):
    """An appointment; all times are UTC."""

    id: UUID
    patient_id: UUID
    therapist_id: UUID
    visit_type: VisitType
    status: Status
    start_at: Instant
    end_at: Instant
    attendees: list[AttendeeResponse]
    revision: int = Field(description="Counts the changes; the ETag names it.")
    booked_at: Instant
    confirmed_at: Instant | None
    closed_at: Instant | None = Field(description="When it was cancelled or its outcome recorded.")
    cancelled_by: Party | None

    @classmethod
    def of(cls, appointment: Appointment) -> Self:
        return cls(
            id=appointment.id,
            patient_id=appointment.patient_id,
            therapist_id=appointment.therapist_id,
            visit_type=appointment.visit_type,
            status=appointment.status,
            start_at=appointment.time.start,
            end_at=appointment.time.end,
            attendees=[AttendeeResponse.of(each) for each in appointment.attendees],
            revision=appointment.revision,
            booked_at=appointment.booked_at,
            confirmed_at=appointment.confirmed_at,
            closed_at=appointment.closed_at,
            cancelled_by=appointment.cancelled_by,
        )


class BookedResponse(Response):
    """A new appointment. `zoomJoinUrl` is null: the meeting's address is not part of booking."""

    appointment: AppointmentResponse
    zoom_join_url: str | None
