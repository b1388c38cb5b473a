"""Writing, changing and taking back messages."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bloom_events.ids import MessageId
from messaging.clients.keys.keyring import Keyring
from messaging.domain.attachments import AttachmentNotReady
from messaging.domain.changes import ChangeKind
from messaging.domain.conversations import Conversation
from messaging.domain.messages import Message, ReadableMessage, SentMark, content_of
from messaging.domain.outcomes import MessageIdTaken, MessageNotFound, ReplyTargetNotFound
from messaging.domain.people import Actor
from messaging.repository.attachments import AttachmentRepository
from messaging.repository.conversations import ConversationRepository
from messaging.repository.messages import MessageRepository, StoredMessage, with_files
from messaging.use_cases.texts import bring_key, bring_key_of_message, key_for_writing, key_of_version, open_messages
from service_kit.revisions import check_revision
from service_kit.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to send. The same id with the same content is the same message, however often it arrives."""

    message_id: MessageId
    conversation_id: UUID
    body: str
    reply_to_id: MessageId | None = None
    attachment_ids: tuple[UUID, ...] = ()

    @property
    def content(self) -> bytes:
        return content_of(self.body, self.reply_to_id, self.attachment_ids)


@dataclass(frozen=True, slots=True)
class Written:
    """A message after a change, and the place of that change; None where nothing had to be changed."""

    readable: ReadableMessage
    sequence: int | None


async def send_message(uow: UnitOfWork, keyring: Keyring, author: Actor, draft: Draft, *, now: datetime) -> Written:
    """Writes a message into a conversation in which the author takes part; once, however often it is asked for."""
    await bring_key(uow, keyring, draft.conversation_id, author.user_id)
    async with uow.begin() as transaction:
        conversations = ConversationRepository(transaction.connection)
        held = await conversations.number_message(draft.conversation_id, author.user_id, draft.message_id, now)
        if held is None:
            return await _recognise(transaction, keyring, author, draft)
        message = await _write(transaction, keyring, held, author, draft)
        if message is None:
            # Somebody sent the same id at the same moment, and was first.
            await conversations.give_back(held)
            return await _recognise(transaction, keyring, author, draft)
        files = await with_files(transaction.connection, [StoredMessage(message, None)])
    attached = (await open_messages(keyring, uow.context.tenant_id, files))[0].attachments
    return Written(ReadableMessage(message, draft.body, attached), message.sequence)


async def edit_message(
    uow: UnitOfWork, keyring: Keyring, editor: Actor, message_id: UUID, body: str, *, seen: int | None, now: datetime
) -> Written:
    """Replaces the text of one's own message."""
    await bring_key_of_message(uow, keyring, message_id, editor.user_id)
    async with uow.begin() as transaction:
        repository = MessageRepository(transaction.connection)
        held = await repository.number(message_id, editor, now)
        held.must_be_open()
        current = await _current(repository, message_id, seen)
        key = await key_for_writing(transaction, keyring, held)
        sealed = key.seal(body, conversation_id=held.id, message_id=current.id, sequence=held.last_sequence)
        edited, event = current.edit(held, editor, sealed)
        await repository.save(edited, ChangeKind.MESSAGE_EDITED, held)
        await transaction.publish(event)
        files = await with_files(transaction.connection, [StoredMessage(edited, None)])
    attached = (await open_messages(keyring, uow.context.tenant_id, files))[0].attachments
    return Written(ReadableMessage(edited, body, attached), held.last_sequence)


async def delete_message(uow: UnitOfWork, actor: Actor, message_id: UUID, *, seen: int | None, now: datetime) -> Written:
    """Takes one's own message back: its place stays, its text and files are gone."""
    async with uow.begin() as transaction:
        repository = MessageRepository(transaction.connection)
        held = await repository.number(message_id, actor, now)
        current = await _current(repository, message_id, seen)
        deleted, event = current.delete(held, actor)
        await repository.save(deleted, ChangeKind.MESSAGE_DELETED, held)
        if deleted.attachment_count:
            await AttachmentRepository(transaction.connection).discard_of_message(deleted.id)
        await transaction.publish(event)
    return Written(ReadableMessage(deleted, None), held.last_sequence)


async def get_message(uow: UnitOfWork, keyring: Keyring, reader: Actor, message_id: UUID) -> ReadableMessage:
    """A message of a conversation in which the reader takes part."""
    async with uow.begin() as transaction:
        stored = await MessageRepository(transaction.connection).find_readable(message_id, reader.user_id)
    if stored is None:
        raise MessageNotFound
    return (await open_messages(keyring, uow.context.tenant_id, [stored]))[0]


async def _write(transaction: Transaction, keyring: Keyring, held: Conversation, author: Actor, draft: Draft) -> Message | None:
    """The message at the place that is held; None when it could not be written."""
    held.must_be_open()
    key = await key_for_writing(transaction, keyring, held)
    sealed = key.seal(draft.body, conversation_id=held.id, message_id=draft.message_id, sequence=held.last_sequence)
    message, sent = Message.send(
        draft.message_id,
        held,
        author,
        sealed,
        attachment_count=len(draft.attachment_ids),
        reply_to_id=draft.reply_to_id,
    )
    mark = SentMark(key.version, key.digest(draft.content))
    if not await MessageRepository(transaction.connection).add(message, mark):
        return None
    await _attach(transaction, message, draft)
    await transaction.publish(sent)
    return message


async def _attach(transaction: Transaction, message: Message, draft: Draft) -> None:
    if not draft.attachment_ids:
        return
    is_attached = await AttachmentRepository(transaction.connection).attach(
        draft.attachment_ids, message_id=message.id, conversation_id=message.conversation_id, author_id=message.author_id
    )
    if not is_attached:
        raise AttachmentNotReady


async def _recognise(transaction: Transaction, keyring: Keyring, author: Actor, draft: Draft) -> Written:
    """Why nothing was written: the message is there already, or it belongs nowhere."""
    repository = MessageRepository(transaction.connection)
    conversation = await ConversationRepository(transaction.connection).get(draft.conversation_id, author.user_id)
    mark = await repository.find_sent(draft.message_id)
    if mark is None:
        raise ReplyTargetNotFound
    stored = await repository.find_readable(draft.message_id, author.user_id)
    if stored is None or stored.message.conversation_id != conversation.id or stored.message.author_id != author.user_id:
        raise MessageIdTaken
    key = await key_of_version(transaction, keyring, conversation, mark.key_version)
    if not hmac.compare_digest(key.digest(draft.content), mark.digest):
        raise MessageIdTaken
    readable = await open_messages(keyring, transaction.tenant_id, [stored])
    return Written(readable[0], None)


async def _current(repository: MessageRepository, message_id: UUID, seen: int | None) -> Message:
    current = await repository.get(message_id)
    if seen is not None:
        check_revision(current=current.revision, seen=seen)
    return current
