"""The life of a conversation's keys: told to services that may read, renewed, wrapped anew, destroyed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bloom_events.ids import ConversationId, TenantId, UserId
from messaging.clients.keys.keyring import Keyring
from messaging.clients.keys.port import KeyRefused
from messaging.domain.changes import ClosedChange
from messaging.domain.conversations import Conversation
from messaging.domain.keys import KeyPlace
from messaging.domain.outcomes import KeyDestroyed
from messaging.domain.people import Actor
from messaging.repository.attachments import AttachmentRepository
from messaging.repository.changes import ChangeRepository
from messaging.repository.conversations import ConversationRepository
from messaging.repository.keys import KeeperRepository, KeyRepository, StoredKey, read_key
from messaging.use_cases.texts import open_key
from service_kit.database import Pool
from service_kit.logs import get_logger
from service_kit.unit_of_work import UnitOfWork

_log = get_logger(__name__)

BATCH = 100
_BEFORE_ALL = KeyPlace(TenantId(UUID(int=0)), ConversationId(UUID(int=0)), 0)


async def give_key(uow: UnitOfWork, keyring: Keyring, conversation_id: ConversationId, version: int) -> bytes:
    """The 32 bytes of a conversation's key, for a service that may read; raises KeyNotFound, or KeyDestroyed."""
    wrapped = await read_key(uow, conversation_id, version)
    key = await open_key(keyring, wrapped, KeyPlace(uow.context.tenant_id, conversation_id, version))
    return key.secret


async def renew_key(uow: UnitOfWork, keyring: Keyring, conversation_id: UUID, *, now: datetime) -> Conversation:
    """What is written from now on is sealed under a new key; older texts keep theirs."""
    async with uow.begin() as transaction:
        seen = await ConversationRepository(transaction.connection).get(conversation_id, None)
    place = KeyPlace(uow.context.tenant_id, seen.id, seen.renew_key().key_version)
    _, wrapped = await keyring.make(place)
    async with uow.begin() as transaction:
        conversations = ConversationRepository(transaction.connection)
        conversation = await conversations.lock(conversation_id)
        if conversation.key_version >= place.version:
            # Somebody else has just renewed it.
            return conversation
        renewed = conversation.renew_key()
        await KeyRepository(transaction.connection).add(place, wrapped, now)
        await conversations.save(renewed)
    return renewed


async def destroy_keys(uow: UnitOfWork, keyring: Keyring, actor: Actor, conversation_id: UUID, *, now: datetime) -> Conversation:
    """Every key of the conversation is gone for good, and with it all that was written, wherever a copy lies.

    Doing it again changes nothing.
    """
    async with uow.begin() as transaction:
        conversations = ConversationRepository(transaction.connection)
        conversation = await conversations.lock(conversation_id)
        if conversation.is_closed:
            return conversation
        closed, destroyed = conversation.destroy_keys(now)
        await conversations.save(closed)
        await KeyRepository(transaction.connection).destroy(conversation_id, now)
        await AttachmentRepository(transaction.connection).discard_of_conversation(conversation_id)
        await ChangeRepository(transaction.connection).add(
            ClosedChange(
                conversation_id=closed.id,
                sequence=closed.last_sequence,
                at=closed.last_change_at,
                actor_id=UserId(actor.user_id),
            )
        )
        await transaction.publish(destroyed)
    keyring.forget(uow.context.tenant_id, conversation_id)
    return closed


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command has come: keys looked at, out of those there were at its start; and which of them could not be opened."""

    done: int
    total: int
    refused: int = 0


async def rotate_wrapping(keeper_pool: Pool, keyring: Keyring) -> AsyncIterator[Progress]:
    """Wraps every data key that another key-encryption key wraps under the current one, of all tenants.

    It can be stopped and started again at any time; keys that are made or destroyed meanwhile are as they should be.
    """
    kek_id = await keyring.current_id()
    async with keeper_pool.acquire() as connection:
        total = await KeeperRepository(connection).count_foreign(kek_id)
    progress, last = Progress(0, total), _BEFORE_ALL
    while True:
        async with keeper_pool.acquire() as connection:
            batch = await KeeperRepository(connection).list_foreign(kek_id, last, BATCH)
        if not batch:
            return
        outcomes = [await _wrap_anew(keeper_pool, keyring, stored) for stored in batch]
        progress = Progress(progress.done + len(batch), total, progress.refused + outcomes.count(False))
        last = batch[-1].place
        yield progress


async def _wrap_anew(keeper_pool: Pool, keyring: Keyring, stored: StoredKey) -> bool:
    """False when the keeper refuses the key: one damaged row must not keep the others under an old key."""
    try:
        wrapped = await keyring.wrap_anew(stored.wrapped, stored.place)
    except KeyRefused as error:
        place = stored.place
        _log.error("key.refused", conversation_id=str(place.conversation_id), version=place.version, reason=str(error))
        return False
    async with keeper_pool.acquire() as connection:
        await KeeperRepository(connection).wrap_anew(stored, wrapped)
    return True


async def renew_old_keys(
    keeper_pool: Pool,
    keyring: Keyring,
    unit_of_work_for: Callable[[TenantId], UnitOfWork],
    *,
    made_before: datetime,
    now: datetime,
) -> AsyncIterator[Progress]:
    """Gives every conversation whose newest key is older a new one, of all tenants."""
    done, last = 0, (_BEFORE_ALL.tenant_id, _BEFORE_ALL.conversation_id)
    while True:
        async with keeper_pool.acquire() as connection:
            batch = await KeeperRepository(connection).list_old(made_before, last, BATCH)
        if not batch:
            return
        for tenant_id, conversation_id in batch:
            # Destroyed a moment ago: there is nothing to renew.
            with suppress(KeyDestroyed):
                await renew_key(unit_of_work_for(tenant_id), keyring, conversation_id, now=now)
        done, last = done + len(batch), batch[-1]
        yield Progress(done, done)
