"""What a route may ask for: whose rows the caller may see, the unit of work, the time, the revision seen, the keys of the app."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Query, Request, Security

from bloom_events.auth import Role
from bloom_events.ids import TenantId, UserId
from notifications.clients.master_key import NoteSeal
from notifications.domain.reaching import PushOffer
from notifications.domain.unsubscribing import UnsubscribeLinks
from notifications.domain.visibility import VisibleAlerts
from service_kit.errors import Forbidden
from service_kit.etags import IfMatch, revision_seen
from service_kit.request_scope import ByToken, CallerOnce, CallerUnitOfWork, Now, kit_of, require_role, unit_of_work_for
from service_kit.tokens import Caller
from service_kit.unit_of_work import UnitOfWork

__all__ = [
    "Administrator",
    "Links",
    "Myself",
    "Notes",
    "Now",
    "Once",
    "Push",
    "Seen",
    "SeenIfGiven",
    "Token",
    "Uow",
    "Visible",
    "unit_of_work_of",
]

NOTE_SEAL = "note_seal"
"""Where the app keeps the key of notes."""

UNSUBSCRIBE_LINKS, PUSH_OFFER = "unsubscribe_links", "push_offer"
"""Where the app keeps what reads unsubscribe links, and what browsers are offered."""

Uow = CallerUnitOfWork
Once = CallerOnce
Seen = IfMatch
Administrator = Annotated[Caller, Depends(require_role(Role.ADMINISTRATOR))]


def _visible_alerts(_request: Request, caller: Caller) -> VisibleAlerts:
    if caller.role not in {Role.THERAPIST, Role.ADMINISTRATOR}:
        raise Forbidden
    return VisibleAlerts(UserId(caller.subject), sees_all=caller.role == Role.ADMINISTRATOR)


async def _seen_if_given(
    if_match: Annotated[
        str | None, Header(description='The ETag last seen, such as `"3"`; without it the change is made to whatever is current.')
    ] = None,
) -> int | None:
    return None if if_match is None else revision_seen(if_match)


async def _note_seal(request: Request) -> NoteSeal:
    seal: NoteSeal = kit_of(request).resources[NOTE_SEAL]
    return seal


Visible = Annotated[VisibleAlerts, Security(ByToken(_visible_alerts))]
"""The alerts about which the caller was called; an administrator's are all of the tenant. Patients have no business here."""

SeenIfGiven = Annotated[int | None, Depends(_seen_if_given)]
Notes = Annotated[NoteSeal, Depends(_note_seal)]

Myself = Annotated[UserId, Security(ByToken(lambda _request, caller: UserId(caller.subject)))]
"""The caller, whatever their role: preferences, phones and browsers are each person's own."""

Token = Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_-]+$", description="From the link in the e-mail.")]


async def _links(request: Request) -> UnsubscribeLinks:
    links: UnsubscribeLinks = kit_of(request).resources[UNSUBSCRIBE_LINKS]
    return links


async def _push_offer(request: Request) -> PushOffer:
    offer: PushOffer = kit_of(request).resources[PUSH_OFFER]
    return offer


Links = Annotated[UnsubscribeLinks, Depends(_links)]
Push = Annotated[PushOffer, Depends(_push_offer)]


def unit_of_work_of(request: Request, tenant_id: TenantId) -> UnitOfWork:
    """The unit of work of the tenant that a signed link names, for routes without a caller."""
    return unit_of_work_for(request, tenant_id)
