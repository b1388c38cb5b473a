"""Reading a conversation: its history, its feed of changes, and how far its members have got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messaging.clients.keys.keyring import Keyring
from messaging.domain.changes import AnyChange
from messaging.domain.conversations import Member
from messaging.domain.messages import ReadableMessage
from messaging.domain.people import Actor
from messaging.repository.changes import ChangeRepository, FeedEntry
from messaging.repository.conversations import ConversationRepository
from messaging.repository.messages import MessageRepository
from messaging.use_cases.texts import open_messages
from service_kit.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A change as a member reads it; `readable` is its message as it stands now, if it is about one."""

    change: AnyChange
    readable: ReadableMessage | None


@dataclass(frozen=True, slots=True)
class Feed:
    """Changes from behind a place on, in order, and the place of the latest that there is."""

    changes: list[ShownChange]
    last_sequence: int


async def list_messages(
    uow: UnitOfWork, keyring: Keyring, reader: Actor, conversation_id: UUID, *, before: int | None, limit: int
) -> list[ReadableMessage]:
    """Messages of a conversation in which the reader takes part, from before a place back, the youngest first."""
    async with uow.begin() as transaction:
        await ConversationRepository(transaction.connection).get(conversation_id, reader.user_id)
        stored = await MessageRepository(transaction.connection).list_before(conversation_id, before, limit)
    return await open_messages(keyring, uow.context.tenant_id, stored)


async def read_feed(
    uow: UnitOfWork, keyring: Keyring, reader_id: UUID | None, conversation_id: UUID, *, after: int, limit: int
) -> Feed:
    """What happened behind a place, for a reader who takes part; None reads for all members, as the socket processes do."""
    async with uow.begin() as transaction:
        conversation = await ConversationRepository(transaction.connection).get(conversation_id, reader_id)
        entries = await ChangeRepository(transaction.connection).list_behind(conversation_id, after, limit)
    changes = await show(uow, keyring, entries)
    # What was committed between the two statements is there too.
    newest = changes[-1].change.sequence if changes else 0
    return Feed(changes, max(conversation.last_sequence, newest))


async def show(uow: UnitOfWork, keyring: Keyring, entries: Sequence[FeedEntry]) -> list[ShownChange]:
    """The changes with the texts of their messages; raises ServiceUnavailable where a key cannot be had at present."""
    opened = iter(await open_messages(keyring, uow.context.tenant_id, [each.stored for each in entries if each.stored]))
    return [ShownChange(each.change, next(opened) if each.stored else None) for each in entries]


async def confirm_receipt(
    uow: UnitOfWork, reader: Actor, conversation_id: UUID, *, delivered: int, read: int, now: datetime
) -> tuple[Member, int | None]:
    """Notes up to which places a member has everything; gives the place of that change, None where it was known already."""
    async with uow.begin() as transaction:
        conversations = ConversationRepository(transaction.connection)
        member, last_sequence = await conversations.lock_member(conversation_id, reader.user_id)
        confirmed = member.confirm(delivered=delivered, read=read, last_sequence=last_sequence)
        if confirmed is None:
            return member, None
        await conversations.save_receipt(confirmed)
        sequence = await ChangeRepository(transaction.connection).add_receipt(confirmed, now)
    return confirmed, sequence
