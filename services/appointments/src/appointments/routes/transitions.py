"""Routes that carry an appointment from one state to the next; each refuses what makes no sense with its own problem."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from appointments.dependencies import (
    AnyRole,
    Now,
    Participant,
    SeenIfGiven,
    TherapistOnly,
    TherapistOrAdministrator,
    Uow,
)
from appointments.domain.appointments import Appointment
from appointments.domain.outcomes import (
    AlreadyCancelled,
    AlreadyCompleted,
    AlreadyConfirmed,
    AlreadyMissed,
    AppointmentNotFound,
    BeyondBookingHorizon,
    NotASlot,
    NotCompleted,
    PatientAlreadyBooked,
    SameTime,
    SlotTaken,
    StartsInThePast,
    TherapistUnavailable,
    VisitAlreadyOver,
    VisitAlreadyStarted,
    VisitNotStarted,
)
from appointments.routes.answers import answers
from appointments.schemas.appointments import AppointmentResponse, CorrectionRequest, RescheduleRequest
from appointments.use_cases import appointments as use_cases
from service_kit.errors import Forbidden, PreconditionFailed, Problem
from service_kit.etags import etag

transitions = APIRouter(prefix="/api/appointments/{appointment_id}", tags=["appointments"])

_ALWAYS: tuple[type[Problem], ...] = (Forbidden, AppointmentNotFound, PreconditionFailed)
_CLOSED: tuple[type[Problem], ...] = (AlreadyCancelled, AlreadyCompleted, AlreadyMissed)


@transitions.post(
    "/reschedule",
    responses=answers(
        *_ALWAYS,
        *_CLOSED,
        SlotTaken,
        PatientAlreadyBooked,
        NotASlot,
        SameTime,
        StartsInThePast,
        BeyondBookingHorizon,
        VisitAlreadyStarted,
        TherapistUnavailable,
        etag=200,
    ),
)
async def reschedule_appointment(
    *,
    appointment_id: UUID,
    body: RescheduleRequest,
    caller: Participant,
    uow: Uow,
    now: Now,
    seen: SeenIfGiven,
    response: Response,
) -> AppointmentResponse:
    """Moves an appointment to another free slot of the same therapist, until it starts; the therapist confirms it anew."""
    moved = await use_cases.reschedule_appointment(uow, appointment_id, caller, body.slot, seen=seen, now=now)
    return _tagged(moved, response)


@transitions.post("/confirm", responses=answers(*_ALWAYS, *_CLOSED, AlreadyConfirmed, VisitAlreadyOver, etag=200))
async def confirm_appointment(
    *, appointment_id: UUID, caller: TherapistOnly, uow: Uow, now: Now, seen: SeenIfGiven, response: Response
) -> AppointmentResponse:
    """The therapist accepts the booking."""
    return _tagged(await use_cases.confirm_appointment(uow, appointment_id, caller, seen=seen, now=now), response)


@transitions.post("/cancel", responses=answers(*_ALWAYS, *_CLOSED, VisitAlreadyStarted, etag=200))
async def cancel_appointment(
    *, appointment_id: UUID, caller: AnyRole, uow: Uow, now: Now, seen: SeenIfGiven, response: Response
) -> AppointmentResponse:
    """Calls the visit off and frees its time. Patients can do so until it starts, therapists and administrators also later."""
    return _tagged(await use_cases.cancel_appointment(uow, appointment_id, caller, seen=seen, now=now), response)


@transitions.post("/complete", responses=answers(*_ALWAYS, *_CLOSED, VisitNotStarted, etag=200))
async def complete_appointment(
    *, appointment_id: UUID, caller: TherapistOnly, uow: Uow, now: Now, seen: SeenIfGiven, response: Response
) -> AppointmentResponse:
    """The therapist records that the visit took place; not before it starts."""
    return _tagged(await use_cases.complete_appointment(uow, appointment_id, caller, seen=seen, now=now), response)


@transitions.post("/no-show", responses=answers(*_ALWAYS, *_CLOSED, VisitNotStarted, etag=200))
async def record_no_show(
    *, appointment_id: UUID, caller: TherapistOnly, uow: Uow, now: Now, seen: SeenIfGiven, response: Response
) -> AppointmentResponse:
    """The therapist records that the patient did not come; not before the visit starts."""
    return _tagged(await use_cases.record_no_show(uow, appointment_id, caller, seen=seen, now=now), response)


@transitions.post("/correct", responses=answers(*_ALWAYS, NotCompleted, etag=200))
async def correct_appointment(
    *,
    appointment_id: UUID,
    body: CorrectionRequest,
    caller: TherapistOrAdministrator,
    uow: Uow,
    now: Now,
    seen: SeenIfGiven,
    response: Response,
) -> AppointmentResponse:
    """Takes back that a visit took place: it was missed or cancelled after all, and will be credited."""
    corrected = await use_cases.correct_appointment(uow, appointment_id, caller, body.corrected_to, seen=seen, now=now)
    return _tagged(corrected, response)


def _tagged(appointment: Appointment, response: Response) -> AppointmentResponse:
    response.headers["ETag"] = etag(appointment.revision)
    return AppointmentResponse.of(appointment)
