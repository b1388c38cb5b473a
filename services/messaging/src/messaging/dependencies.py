"""What a route may ask for: who calls, the unit of work, the time, keys, wakes and limits."""

from __future__ import annotations

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Header, Request, Security

from bloom_events.auth import Role
from messaging.clients.keys.keyring import Keyring
from messaging.clients.objects.port import ObjectStore
from messaging.clients.wake import Waker
from messaging.domain.people import Actor
from messaging.settings import Settings
from service_kit.errors import Forbidden, ServiceUnavailable
from service_kit.etags import revision_seen
from service_kit.rate_limits import Allowance, RateLimiter
from service_kit.request_scope import ByToken, CallerOnce, CallerUnitOfWork, Now, calling_service, kit_of
from service_kit.tokens import Caller
from service_kit.unit_of_work import UnitOfWork

__all__ = [
    "ADMINISTRATOR",
    "Administrator",
    "AnyRole",
    "Keys",
    "Limits",
    "Now",
    "Objects",
    "Once",
    "Participant",
    "Scoring",
    "SeenIfGiven",
    "TherapistOnly",
    "Uow",
    "Wakes",
]

Uow = CallerUnitOfWork
Once = CallerOnce


def _acting_as(*roles: Role) -> ByToken:
    def actor(_request: Request, caller: Caller) -> Actor:
        if caller.role not in roles:
            raise Forbidden
        return Actor(caller.subject, Role(caller.role))

    return ByToken(actor)


AnyRole = Annotated[Actor, Security(_acting_as(*Role))]
# Administrators see that people write to each other, and never what.
Participant = Annotated[Actor, Security(_acting_as(Role.PATIENT, Role.THERAPIST))]
TherapistOnly = Annotated[Actor, Security(_acting_as(Role.THERAPIST))]
ADMINISTRATOR = Security(_acting_as(Role.ADMINISTRATOR))
Administrator = Annotated[Actor, ADMINISTRATOR]

Scoring = Annotated[UnitOfWork, calling_service("ml-scoring")]
"""The unit of work of a call by the one service that may read texts."""


async def _seen_if_given(
    if_match: Annotated[
        str | None, Header(description='The ETag last seen, such as `"3"`; without it the change is made to whatever is current.')
    ] = None,
) -> int | None:
    return None if if_match is None else revision_seen(if_match)


SeenIfGiven = Annotated[int | None, Depends(_seen_if_given)]


async def _keyring(request: Request) -> Keyring:
    return cast("Keyring", kit_of(request).resources["keyring"])


async def _waker(request: Request) -> Waker:
    return cast("Waker", kit_of(request).resources["waker"])


async def _object_store(request: Request) -> ObjectStore:
    store = kit_of(request).resources.get("objects")
    if store is None:
        raise ServiceUnavailable("There is no object store for attachments.")
    return cast("ObjectStore", store)


Keys = Annotated[Keyring, Depends(_keyring)]
Objects = Annotated[ObjectStore, Depends(_object_store)]
Wakes = Annotated[Waker, Depends(_waker)]


class CallerLimits:
    """The rate limits of messaging: what one person does, and what all do in one conversation."""

    def __init__(self, request: Request, caller: Caller) -> None:
        kit = kit_of(request)
        self._limiter = cast("RateLimiter", kit.rate_limits)
        self._settings = cast("Settings", kit.settings)
        self._tenant = caller.tenant_id
        self._person = f"{caller.tenant_id} {caller.subject}"

    @property
    def _writing(self) -> Allowance:
        return Allowance(self._settings.writing_limit_per_person, self._person, "writing-person")

    async def check_writing(self, conversation_id: UUID) -> None:
        """The person first, so that somebody who writes too much uses up nothing of the conversation."""
        together = self._settings.writing_limit_per_conversation
        conversation = Allowance(together, f"{self._tenant} {conversation_id}", "writing-conversation")
        await self._limiter.check_all(self._writing, conversation)

    async def check_changing(self) -> None:
        await self._limiter.check_all(self._writing)

    async def check_receipts(self) -> None:
        await self._limiter.check(self._settings.receipt_limit_per_person, self._person, name="receipts-person")

    async def check_search(self) -> None:
        await self._limiter.check(self._settings.search_limit_per_person, self._person, name="search-person")

    async def check_attachments(self) -> None:
        await self._limiter.check(self._settings.attachment_limit_per_person, self._person, name="attachments-person")

    async def check_opening(self) -> None:
        await self._limiter.check(self._settings.opening_limit_per_person, self._person, name="opening-person")


Limits = Annotated[CallerLimits, Security(ByToken(CallerLimits))]
