"""What a route may ask for: who calls, the unit of work, the time, the asked range and the revision seen."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Query, Request, Security

from appointments.domain.appointments import Actor
from appointments.domain.slots import Interval, checked_range
from appointments.schemas.fields import Moment
from bloom_events.auth import Role
from service_kit.errors import Forbidden
from service_kit.etags import IfMatch, revision_seen
from service_kit.request_scope import ByToken, CallerOnce, CallerUnitOfWork, Now
from service_kit.tokens import Caller

__all__ = [
    "SIGNED_IN",
    "AnyRole",
    "AskedRange",
    "Now",
    "Once",
    "Participant",
    "PatientOnly",
    "Seen",
    "SeenIfGiven",
    "TherapistOnly",
    "TherapistOrAdministrator",
    "Uow",
]

Uow = CallerUnitOfWork
Once = CallerOnce
Seen = IfMatch


def _acting_as(*roles: Role) -> ByToken:
    def actor(_request: Request, caller: Caller) -> Actor:
        if caller.role not in roles:
            raise Forbidden
        return Actor(caller.subject, Role(caller.role))

    return ByToken(actor)


async def _asked_range(
    start: Annotated[Moment, Query(alias="from", description="The start of the range.")],
    end: Annotated[Moment, Query(alias="to", description="The end of the range, at most 31 days later.")],
) -> Interval:
    return checked_range(start, end)


async def _seen_if_given(
    if_match: Annotated[
        str | None, Header(description='The ETag last seen, such as `"3"`; without it the change is made to whatever is current.')
    ] = None,
) -> int | None:
    return None if if_match is None else revision_seen(if_match)


SIGNED_IN = Security(_acting_as(*Role))
AnyRole = Annotated[Actor, SIGNED_IN]
PatientOnly = Annotated[Actor, Security(_acting_as(Role.PATIENT))]
TherapistOnly = Annotated[Actor, Security(_acting_as(Role.THERAPIST))]
TherapistOrAdministrator = Annotated[Actor, Security(_acting_as(Role.THERAPIST, Role.ADMINISTRATOR))]
Participant = Annotated[Actor, Security(_acting_as(Role.PATIENT, Role.THERAPIST))]
AskedRange = Annotated[Interval, Depends(_asked_range)]
SeenIfGiven = Annotated[int | None, Depends(_seen_if_given)]
