"""What people want to be told and how they are reached, as they themselves say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from bloom_events.ids import UserId
from notifications.domain.deciding import PushAddress
from notifications.domain.preferences import Preferences
from notifications.domain.reaching import MOST_SUBSCRIPTIONS, PushSubscription
from notifications.domain.refusals import PhoneNotFound, SubscriptionNotFound
from notifications.domain.unsubscribing import Unsubscription
from notifications.repository.contacts import ContactRepository
from notifications.repository.preferences import AddressRepository, PreferenceRepository
from service_kit.errors import PreconditionFailed
from service_kit.unit_of_work import UnitOfWork


async def get_preferences(uow: UnitOfWork, user_id: UserId) -> Preferences:
    async with uow.begin() as transaction:
        return await PreferenceRepository(transaction.connection).get(user_id)


async def set_preferences(uow: UnitOfWork, user_id: UserId, wanted: Preferences, *, seen: int, now: datetime) -> Preferences:
    """Replace the choices that the caller has seen."""
    async with uow.begin() as transaction:
        preferences = PreferenceRepository(transaction.connection)
        changed = replace(wanted, revision=seen + 1)
        if (await preferences.lock(user_id)).revision != seen or not await preferences.save(user_id, changed, now):
            raise PreconditionFailed
    return changed


async def unsubscribe(uow: UnitOfWork, wish: Unsubscription, *, now: datetime) -> str | None:
    """Switch one kind off on one channel, once or again; gives the language to say so in."""
    async with uow.begin() as transaction:
        preferences = PreferenceRepository(transaction.connection)
        known = await preferences.lock(wish.user_id)
        changed = known.without(wish.kind, wish.channel)
        if changed is not known and not await preferences.save(wish.user_id, changed, now):
            raise PreconditionFailed
        return await ContactRepository(transaction.connection).find_locale(wish.user_id)


async def find_locale(uow: UnitOfWork, user_id: UserId) -> str | None:
    """The language that somebody reads, if they have said."""
    async with uow.begin() as transaction:
        return await ContactRepository(transaction.connection).find_locale(user_id)


async def get_phone(uow: UnitOfWork, user_id: UserId) -> str:
    async with uow.begin() as transaction:
        number = await AddressRepository(transaction.connection).find_phone(user_id)
    if number is None:
        raise PhoneNotFound
    return number


async def set_phone(uow: UnitOfWork, user_id: UserId, number: str, *, now: datetime) -> str:
    async with uow.begin() as transaction:
        await AddressRepository(transaction.connection).set_phone(user_id, number, now)
    return number


async def forget_phone(uow: UnitOfWork, user_id: UserId) -> None:
    async with uow.begin() as transaction:
        if not await AddressRepository(transaction.connection).forget_phone(user_id):
            raise PhoneNotFound


async def list_subscriptions(uow: UnitOfWork, user_id: UserId) -> list[PushSubscription]:
    async with uow.begin() as transaction:
        return await AddressRepository(transaction.connection).list_subscriptions(user_id)


async def subscribe(uow: UnitOfWork, user_id: UserId, push: PushAddress, *, now: datetime) -> PushSubscription:
    """Keep a browser; the same endpoint again is the same subscription."""
    async with uow.begin() as transaction:
        return await AddressRepository(transaction.connection).subscribe(user_id, push, now, most=MOST_SUBSCRIPTIONS)


async def end_subscription(uow: UnitOfWork, user_id: UserId, subscription_id: UUID) -> None:
    async with uow.begin() as transaction:
        if not await AddressRepository(transaction.connection).unsubscribe(user_id, subscription_id):
            raise SubscriptionNotFound
