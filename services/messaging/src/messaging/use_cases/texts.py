"""Sealing what is written and opening what is read; keys are fetched from their keeper outside of transactions where possible."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from uuid import UUID

from bloom_events.ids import TenantId
from messaging.clients.keys.keyring import Keyring
from messaging.clients.keys.port import KeyRefused
from messaging.clients.keys.sealing import CannotUnseal, DataKey
from messaging.domain.conversations import Conversation
from messaging.domain.keys import KeyPlace, WrappedKey
from messaging.domain.messages import AttachedFile, ReadableMessage, SealedText
from messaging.domain.outcomes import KeyDestroyed
from messaging.repository.attachments import ReadableAttachment
from messaging.repository.keys import KeyRepository, find_current_key, find_key_of_message
from messaging.repository.messages import StoredMessage
from service_kit.errors import ServiceUnavailable
from service_kit.logs import get_logger
from service_kit.unit_of_work import Transaction, UnitOfWork

_log = get_logger(__name__)

_Keys: TypeAlias = dict[tuple[UUID, int], DataKey]


async def bring_key(uow: UnitOfWork, keyring: Keyring, conversation_id: UUID, member_id: UUID) -> None:
    """Has the key of a conversation at hand before a transaction holds the conversation: its keeper may be a network away."""
    if keyring.has_any(uow.context.tenant_id, conversation_id):
        return
    stored = await find_current_key(uow, conversation_id, member_id)
    if stored is not None:
        await open_key(keyring, stored.wrapped, stored.place)


async def bring_key_of_message(uow: UnitOfWork, keyring: Keyring, message_id: UUID, member_id: UUID) -> None:
    """The same for the conversation of a message."""
    stored = await find_key_of_message(uow, message_id, member_id)
    if stored is not None:
        await open_key(keyring, stored.wrapped, stored.place)


async def key_for_writing(transaction: Transaction, keyring: Keyring, held: Conversation) -> DataKey:
    """The key under which a conversation's texts are sealed now."""
    return await _key_of_version(transaction, keyring, held, held.key_version)


async def key_of_version(transaction: Transaction, keyring: Keyring, conversation: Conversation, version: int) -> DataKey:
    """One of the conversation's keys; raises KeyDestroyed."""
    conversation.must_be_open()
    return await _key_of_version(transaction, keyring, conversation, version)


async def open_messages(keyring: Keyring, tenant_id: TenantId, stored: Sequence[StoredMessage]) -> list[ReadableMessage]:
    """The messages with their texts; raises ServiceUnavailable where a key cannot be had at present."""
    keys = await _open_keys(keyring, tenant_id, stored)
    return [_readable(keys, each) for each in stored]


async def open_key(keyring: Keyring, wrapped: WrappedKey, place: KeyPlace) -> DataKey:
    """The key; raises ServiceUnavailable where its keeper is away or refuses it."""
    try:
        return await keyring.open(wrapped, place)
    except KeyRefused as error:
        _log.error(
            "key.refused",
            conversation_id=str(place.conversation_id),
            version=place.version,
            kek_id=wrapped.kek_id,
            reason=str(error),
        )
        raise ServiceUnavailable("The keys cannot be had.") from None


async def _key_of_version(transaction: Transaction, keyring: Keyring, held: Conversation, version: int) -> DataKey:
    place = KeyPlace(transaction.tenant_id, held.id, version)
    found = keyring.find(place)
    if found is not None:
        return found
    wrapped = (await KeyRepository(transaction.connection).list_versions(held.id, [version])).get(version)
    if wrapped is None:
        raise KeyDestroyed
    return await open_key(keyring, wrapped, place)


async def _open_keys(keyring: Keyring, tenant_id: TenantId, stored: Iterable[StoredMessage]) -> _Keys:
    wanted: dict[KeyPlace, WrappedKey] = {}
    for each in stored:
        if each.message.sealed is not None and each.key is not None:
            wanted[KeyPlace(tenant_id, each.message.conversation_id, each.message.sealed.key_version)] = each.key
        for file in each.files:
            wanted[KeyPlace(tenant_id, each.message.conversation_id, file.attachment.name.key_version)] = file.key
    opened = await asyncio.gather(*(open_key(keyring, wrapped, place) for place, wrapped in wanted.items()))
    return {(place.conversation_id, place.version): key for place, key in zip(wanted, opened, strict=True)}


def _readable(keys: _Keys, stored: StoredMessage) -> ReadableMessage:
    message, files = stored.message, [_file(keys, each) for each in stored.files]
    body = _text(keys, message.sealed, message.conversation_id, message.id) if message.sealed else None
    return ReadableMessage(message, body, tuple(each for each in files if each is not None))


def _file(keys: _Keys, readable: ReadableAttachment) -> AttachedFile | None:
    attachment = readable.attachment
    name = _text(keys, attachment.name, attachment.conversation_id, attachment.id)
    content = attachment.content
    return None if name is None else AttachedFile(attachment.id, name, content.content_type, content.size_bytes)


def _text(keys: _Keys, sealed: SealedText, conversation_id: UUID, sealed_id: UUID) -> str | None:
    key = keys.get((conversation_id, sealed.key_version))
    if key is None:
        return None
    try:
        return key.unseal(sealed, conversation_id=conversation_id, message_id=sealed_id)
    except CannotUnseal:
        # One damaged row must not hide the others.
        _log.error("text.cannot_be_unsealed", sealed_id=str(sealed_id), conversation_id=str(conversation_id))
        return None
