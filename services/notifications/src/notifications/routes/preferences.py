"""Routes by which people say what they want to be told, and how they are reached."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from bloom_events.ids import UserId
from notifications.dependencies import Myself, Now, Once, Push, Seen, Uow
from notifications.domain.refusals import PhoneNotFound, PushNotOffered, PushServiceNotAllowed, SubscriptionNotFound
from notifications.routes.answers import answers
from notifications.schemas.preferences import (
    PhoneRequest,
    PhoneResponse,
    PreferencesRequest,
    PreferencesResponse,
    PushSubscriptionRequest,
    PushSubscriptionResponse,
    PushSubscriptionsResponse,
)
from notifications.use_cases import preferences as use_cases
from service_kit.errors import IdempotencyKeyReused, PreconditionFailed, PreconditionRequired, RequestInProgress
from service_kit.etags import etag
from service_kit.unit_of_work import UnitOfWork

preferences = APIRouter(prefix="/api/notifications", tags=["notifications"])


@preferences.get("/preferences", responses=answers(etag=200))
async def get_preferences(myself: Myself, uow: Uow, response: Response) -> PreferencesResponse:
    """What the caller wants to be told, by which channel, and when not. Safety is not among it: it is always told."""
    found = await use_cases.get_preferences(uow, myself)
    # Choices that nobody made have the revision 0, and an ETag counts from 1.
    response.headers["ETag"] = etag(found.revision + 1)
    return PreferencesResponse.of(found)


@preferences.put("/preferences", responses=answers(PreconditionFailed, PreconditionRequired, etag=200))
async def set_preferences(
    *, body: PreferencesRequest, myself: Myself, uow: Uow, now: Now, seen: Seen, response: Response
) -> PreferencesResponse:
    """Replaces the caller's choices. In quiet hours only what is critical comes; the rest waits, if it can."""
    changed = await use_cases.set_preferences(uow, myself, body.preferences(), seen=seen - 1, now=now)
    response.headers["ETag"] = etag(changed.revision + 1)
    return PreferencesResponse.of(changed)


@preferences.get("/phone", responses=answers(PhoneNotFound))
async def get_phone(myself: Myself, uow: Uow) -> PhoneResponse:
    """The number to which the caller gets SMS."""
    return PhoneResponse(number=await use_cases.get_phone(uow, myself))


@preferences.put("/phone")
async def set_phone(body: PhoneRequest, myself: Myself, uow: Uow, now: Now) -> PhoneResponse:
    """From now on the caller gets SMS at this number."""
    return PhoneResponse(number=await use_cases.set_phone(uow, myself, body.number, now=now))


@preferences.delete("/phone", status_code=204, responses=answers(PhoneNotFound))
async def forget_phone(myself: Myself, uow: Uow) -> None:
    """The caller gets no more SMS."""
    await use_cases.forget_phone(uow, myself)


@preferences.get("/push-subscriptions")
async def list_subscriptions(myself: Myself, uow: Uow, push: Push) -> PushSubscriptionsResponse:
    """The caller's browsers that get push messages, and the key that a browser subscribes with (null: none is offered here)."""
    found = await use_cases.list_subscriptions(uow, myself)
    return PushSubscriptionsResponse.of(found, push.public_key)


@preferences.post(
    "/push-subscriptions",
    status_code=201,
    response_model=PushSubscriptionResponse,
    responses=answers(PushNotOffered, PushServiceNotAllowed, IdempotencyKeyReused, RequestInProgress),
)
async def subscribe(body: PushSubscriptionRequest, myself: Myself, now: Now, once: Once, push: Push) -> Response:
    """Takes a browser's PushSubscription as its JavaScript gives it. Of more than ten the oldest goes."""
    push.check(body.endpoint)

    async def work(uow: UnitOfWork) -> PushSubscriptionResponse:
        return PushSubscriptionResponse.of(await use_cases.subscribe(uow, myself, body.address(), now=now))

    return await once.answer(201, work)


@preferences.delete("/push-subscriptions/{subscription_id}", status_code=204, responses=answers(SubscriptionNotFound))
async def end_subscription(subscription_id: UUID, myself: Myself, uow: Uow) -> None:
    """The browser gets no more push messages."""
    await use_cases.end_subscription(uow, UserId(myself), subscription_id)
