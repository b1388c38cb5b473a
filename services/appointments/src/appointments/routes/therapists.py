"""Routes of the therapist directory."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from appointments.dependencies import SIGNED_IN, AskedRange, Now, Seen, TherapistOnly, Uow
from appointments.domain.outcomes import InvalidRange, TherapistNotFound
from appointments.domain.therapists import DirectoryFilter, Therapist
from appointments.routes.answers import answers
from appointments.schemas.cursors import after_name
from appointments.schemas.fields import LanguageCode, SpecialtyCode
from appointments.schemas.therapists import (
    AvailableTherapistResponse,
    ProfilePatchRequest,
    ProfileRequest,
    SlotResponse,
    SlotsResponse,
    TherapistResponse,
)
from appointments.use_cases import availability as availability_use_cases
from appointments.use_cases import therapists as use_cases
from service_kit.errors import Forbidden, InvalidCursor, PreconditionFailed, PreconditionRequired
from service_kit.etags import etag
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, encode_cursor, page_of

therapists = APIRouter(prefix="/api/therapists", tags=["therapists"])

Language = Annotated[LanguageCode | None, Query(description="Only therapists who speak this language (ISO 639).")]
Specialty = Annotated[SpecialtyCode | None, Query(description="Only therapists with this specialty.")]
AcceptsNew = Annotated[
    bool | None, Query(alias="acceptsNewPatients", description="Only therapists who do, or who do not, take new patients.")
]


@therapists.get("", dependencies=[SIGNED_IN], responses=answers(Forbidden, InvalidCursor))
async def list_therapists(
    *,
    uow: Uow,
    accepts_new_patients: AcceptsNew = None,
    language: Language = None,
    specialty: Specialty = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[TherapistResponse]:
    """Therapists who practise at present, by name."""
    wanted = DirectoryFilter(accepts_new_patients, language, specialty)
    found = await use_cases.list_therapists(uow, wanted, after=after_name(cursor), limit=limit + 1)
    return page_of(found, limit=limit, present=TherapistResponse.of, key=lambda each: (each.profile.display_name, each.id))


@therapists.get("/available", dependencies=[SIGNED_IN], responses=answers(Forbidden, InvalidRange, InvalidCursor))
async def list_available_therapists(
    *,
    uow: Uow,
    now: Now,
    within: AskedRange,
    language: Language = None,
    specialty: Specialty = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[AvailableTherapistResponse]:
    """Therapists who take new patients and have a free slot in the range, by name, each with the first such slot.

    A page may hold fewer than `limit` and still have a next one.
    """
    wanted = DirectoryFilter(accepts_new_patients=True, language=language, specialty=specialty)
    found, after = await use_cases.list_available(uow, wanted, within, after=after_name(cursor), limit=limit, now=now)
    items = [
        AvailableTherapistResponse(therapist=TherapistResponse.of(each.therapist), first_slot=SlotResponse.of(each.first_slot))
        for each in found
    ]
    return Page(items=items, next_cursor=encode_cursor(*after) if after else None)


@therapists.get("/me", responses=answers(Forbidden, TherapistNotFound, etag=200))
async def get_own_profile(caller: TherapistOnly, uow: Uow, response: Response) -> TherapistResponse:
    """The calling therapist's own entry, which exists as soon as their verification has arrived here."""
    return _tagged(await use_cases.get_own_entry(uow, caller.user_id), response)


_CHANGE = answers(Forbidden, TherapistNotFound, PreconditionFailed, PreconditionRequired, etag=200)


@therapists.put("/me", responses=_CHANGE)
async def replace_own_profile(
    body: ProfileRequest, caller: TherapistOnly, uow: Uow, seen: Seen, response: Response
) -> TherapistResponse:
    """Replaces the calling therapist's profile. New slot lengths and buffers hold for new bookings only."""
    return _tagged(await use_cases.change_profile(uow, caller.user_id, body.changes(), seen=seen), response)


@therapists.patch("/me", responses=_CHANGE)
async def change_own_profile(
    body: ProfilePatchRequest, caller: TherapistOnly, uow: Uow, seen: Seen, response: Response
) -> TherapistResponse:
    """Changes the given fields of the calling therapist's profile, such as whether new patients are accepted."""
    return _tagged(await use_cases.change_profile(uow, caller.user_id, body.changes(), seen=seen), response)


@therapists.get("/{therapist_id}", dependencies=[SIGNED_IN], responses=answers(Forbidden, TherapistNotFound, etag=200))
async def get_therapist(therapist_id: UUID, uow: Uow, response: Response) -> TherapistResponse:
    """One therapist who practises at present."""
    return _tagged(await use_cases.get_therapist(uow, therapist_id), response)


@therapists.get("/{therapist_id}/slots", dependencies=[SIGNED_IN], responses=answers(Forbidden, TherapistNotFound, InvalidRange))
async def list_slots(therapist_id: UUID, uow: Uow, now: Now, within: AskedRange) -> SlotsResponse:
    """The free slots that lie wholly in a range of at most 31 days: up to 180 days ahead, never in the past."""
    found = await availability_use_cases.list_slots(uow, therapist_id, within, now=now)
    return SlotsResponse(
        therapist_id=found.therapist.id,
        time_zone=found.therapist.profile.time_zone,
        items=[SlotResponse.of(slot) for slot in found.slots],
    )


def _tagged(therapist: Therapist, response: Response) -> TherapistResponse:
    response.headers["ETag"] = etag(therapist.revision)
    return TherapistResponse.of(therapist)
