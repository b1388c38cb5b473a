"""Routes that book and show appointments."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from appointments.dependencies import AnyRole, Now, Once, PatientOnly, Uow
from appointments.domain.appointments import AppointmentFilter, Status
from appointments.domain.outcomes import (
    AppointmentNotFound,
    BeyondBookingHorizon,
    NotAcceptingNewPatients,
    NotASlot,
    PatientAlreadyBooked,
    SlotTaken,
    StartsInThePast,
    TherapistNotFound,
)
from appointments.routes.answers import answers
from appointments.schemas.appointments import AppointmentResponse, BookedResponse, BookingRequest
from appointments.schemas.cursors import after_moment
from appointments.schemas.fields import Moment
from appointments.use_cases import appointments as use_cases
from bloom_events.ids import PatientId, TherapistId
from service_kit.answering import answer
from service_kit.errors import Forbidden, IdempotencyKeyReused, InvalidCursor, RequestInProgress
from service_kit.etags import etag
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from service_kit.unit_of_work import UnitOfWork

appointments = APIRouter(prefix="/api/appointments", tags=["appointments"])

Statuses = Annotated[list[Status] | None, Query(alias="status", max_length=len(Status), description="Any of these.")]
StartsFrom = Annotated[Moment | None, Query(alias="from", description="Starts at this moment or later.")]
StartsBefore = Annotated[Moment | None, Query(alias="to", description="Starts before this moment.")]
OfTherapist = Annotated[UUID | None, Query(alias="therapistId")]
OfPatient = Annotated[UUID | None, Query(alias="patientId")]


@appointments.post(
    "",
    status_code=201,
    response_model=BookedResponse,
    responses=answers(
        Forbidden,
        TherapistNotFound,
        SlotTaken,
        PatientAlreadyBooked,
        NotASlot,
        StartsInThePast,
        BeyondBookingHorizon,
        NotAcceptingNewPatients,
        IdempotencyKeyReused,
        RequestInProgress,
        etag=201,
    ),
)
async def book_appointment(body: BookingRequest, caller: PatientOnly, now: Now, once: Once) -> Response:
    """Books a free slot of a therapist for the calling patient.

    A therapist who does not accept new patients can be booked by patients who had a visit with them.
    `zoomJoinUrl` is null: video meetings are made apart from booking.
    """

    async def work(uow: UnitOfWork) -> BookedResponse:
        booked = await use_cases.book_appointment(
            uow,
            patient_id=PatientId(caller.user_id),
            therapist_id=TherapistId(body.therapist_id),
            visit_type=body.visit_type,
            slot=body.slot,
            now=now,
        )
        return BookedResponse(appointment=AppointmentResponse.of(booked), zoom_join_url=None)

    return await once.answer(201, work, headers=_headers)


@appointments.get("", responses=answers(Forbidden, InvalidCursor))
async def list_appointments(
    *,
    caller: AnyRole,
    uow: Uow,
    statuses: Statuses = None,
    starts_from: StartsFrom = None,
    starts_before: StartsBefore = None,
    therapist_id: OfTherapist = None,
    patient_id: OfPatient = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[AppointmentResponse]:
    """Appointments by start: those that the caller takes part in; for administrators all of them."""
    wanted = AppointmentFilter(tuple(statuses) if statuses else None, starts_from, starts_before, therapist_id, patient_id)
    found = await use_cases.list_appointments(uow, caller, wanted, after=after_moment(cursor), limit=limit + 1)
    return page_of(found, limit=limit, present=AppointmentResponse.of, key=lambda each: (each.time.start, each.id))


@appointments.get(
    "/{appointment_id}", response_model=AppointmentResponse, responses=answers(Forbidden, AppointmentNotFound, etag=200)
)
async def get_appointment(appointment_id: UUID, caller: AnyRole, uow: Uow) -> Response:
    """One appointment that the caller takes part in; for administrators any."""
    found = await use_cases.get_appointment(uow, appointment_id, caller)
    return answer(AppointmentResponse.of(found), headers={"ETag": etag(found.revision)})


def _headers(booked: BookedResponse) -> dict[str, str]:
    appointment = booked.appointment
    return {"ETag": etag(appointment.revision), "Location": f"/api/appointments/{appointment.id}"}
