"""How somebody is reached is asked of auth when it has something new to say, and kept: nothing waits for auth later."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from bloom_events.auth import TherapistVerified, UserProfileChanged, UserRegistered
from bloom_events.envelope import Envelope
from bloom_events.ids import TenantId, UserId
from notifications.domain.reaching import Contact, ask_again_after
from notifications.repository.contacts import ContactRepository, tenants_with_contacts_to_ask_for
from service_kit import inbox
from service_kit.database import Pool
from service_kit.errors import ServiceUnavailable
from service_kit.unit_of_work import UnitOfWork

CONSUMER = "notifications.contacts"
"""The name under which the inbox remembers what was heard of contacts; the same events also tell who may be called."""

ASKING_LASTS = timedelta(seconds=30)
"""Longer than a question takes: nobody else asks about the same person meanwhile."""

ContactEvent: TypeAlias = UserRegistered | TherapistVerified | UserProfileChanged


class ContactBook(Protocol):
    """Whoever knows how people are reached."""

    async def get_contact(self, tenant_id: TenantId, user_id: UserId) -> Contact:
        """Raises ServiceUnavailable when it cannot say."""


async def hear_of_contact(uow: UnitOfWork, cause: Envelope[ContactEvent], *, now: datetime) -> None:
    """Note that auth is to be asked about somebody; asking here would hold the log up while auth is away."""
    async with uow.begin() as transaction:
        if await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            await ContactRepository(transaction.connection).hear_of(cause.data.user_id, now)


async def whose_turn(pool: Pool, now: datetime) -> list[tuple[TenantId, datetime]]:
    """Tenants with somebody to ask about, and after them the next one that will have."""
    return await tenants_with_contacts_to_ask_for(pool, now)


async def ask_for_contacts(uow: UnitOfWork, book: ContactBook, *, most: int, now: datetime) -> int:
    """Ask about up to `most` people of a tenant; gives how many were asked about. Who cannot be had now is asked for again."""
    claimed_until = now + ASKING_LASTS
    async with uow.begin() as transaction:
        wanted = await ContactRepository(transaction.connection).claim(most, now, claimed_until)
    await asyncio.gather(*(_ask(uow, book, each, claimed_until, now) for each in wanted))
    return len(wanted)


async def _ask(uow: UnitOfWork, book: ContactBook, wanted: tuple[UserId, int], claimed_until: datetime, now: datetime) -> None:
    user_id, asks = wanted
    try:
        contact = await book.get_contact(uow.context.tenant_id, user_id)
    except ServiceUnavailable:
        contact = None
    async with uow.begin() as transaction:
        contacts = ContactRepository(transaction.connection)
        if contact is None:
            await contacts.ask_later(user_id, now + ask_again_after(asks), claimed_until=claimed_until)
        else:
            await contacts.keep(user_id, contact, now, claimed_until=claimed_until)
