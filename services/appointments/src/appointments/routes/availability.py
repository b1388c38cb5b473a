"""Routes by which therapists say when they can be booked."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from appointments.dependencies import Once, Seen, TherapistOnly, Uow
from appointments.domain.outcomes import (
    AvailabilityExceptionNotFound,
    InvalidRange,
    OverlappingHours,
    TherapistNotFound,
    TooManyExceptions,
)
from appointments.routes.answers import answers
from appointments.schemas.availability import (
    AvailabilityRequest,
    AvailabilityResponse,
    ExceptionRequest,
    ExceptionResponse,
)
from appointments.schemas.cursors import after_day
from appointments.use_cases import availability as use_cases
from appointments.use_cases.availability import Availability
from bloom_events.ids import TherapistId
from service_kit.errors import (
    Forbidden,
    IdempotencyKeyReused,
    InvalidCursor,
    PreconditionFailed,
    PreconditionRequired,
    RequestInProgress,
)
from service_kit.etags import etag
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from service_kit.unit_of_work import UnitOfWork

availability = APIRouter(prefix="/api/therapists/me", tags=["availability"])


@availability.get("/availability", responses=answers(Forbidden, TherapistNotFound, etag=200))
async def get_availability(caller: TherapistOnly, uow: Uow, response: Response) -> AvailabilityResponse:
    """The calling therapist's weekly hours in the time zone of their profile."""
    return _tagged(await use_cases.get_availability(uow, caller.user_id), response)


@availability.put(
    "/availability",
    responses=answers(Forbidden, TherapistNotFound, PreconditionFailed, PreconditionRequired, OverlappingHours, etag=200),
)
async def replace_availability(
    body: AvailabilityRequest, caller: TherapistOnly, uow: Uow, seen: Seen, response: Response
) -> AvailabilityResponse:
    """Replaces the weekly hours. What is booked stays booked. The ETag is that of the therapist's profile."""
    changed = await use_cases.replace_availability(uow, caller.user_id, body.weekly_hours(), seen=seen)
    return _tagged(changed, response)


@availability.get("/exceptions", responses=answers(Forbidden, TherapistNotFound, InvalidCursor))
async def list_exceptions(
    caller: TherapistOnly, uow: Uow, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[ExceptionResponse]:
    """The calling therapist's exceptions by first day."""
    found = await use_cases.list_exceptions(uow, caller.user_id, after=after_day(cursor), limit=limit + 1)
    return page_of(found, limit=limit, present=ExceptionResponse.of, key=lambda each: (each.first_on.isoformat(), each.id))


@availability.post(
    "/exceptions",
    status_code=201,
    response_model=ExceptionResponse,
    responses=answers(Forbidden, TherapistNotFound, InvalidRange, TooManyExceptions, IdempotencyKeyReused, RequestInProgress),
)
async def add_exception(body: ExceptionRequest, caller: TherapistOnly, once: Once) -> Response:
    """Adds closed days, such as holidays, or extra open hours."""

    async def work(uow: UnitOfWork) -> ExceptionResponse:
        exception = body.exception_of(TherapistId(caller.user_id))
        return ExceptionResponse.of(await use_cases.add_exception(uow, exception))

    return await once.answer(201, work)


@availability.delete(
    "/exceptions/{exception_id}",
    status_code=204,
    responses=answers(Forbidden, TherapistNotFound, AvailabilityExceptionNotFound),
)
async def remove_exception(exception_id: UUID, caller: TherapistOnly, uow: Uow) -> None:
    """Removes one of the calling therapist's exceptions."""
    await use_cases.remove_exception(uow, caller.user_id, exception_id)


def _tagged(found: Availability, response: Response) -> AvailabilityResponse:
    response.headers["ETag"] = etag(found.therapist.revision)
    return AvailabilityResponse.of(found.therapist.profile.time_zone, found.hours)
