"""Rows of messages; their text is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from bloom_events.auth import Role
from bloom_events.ids import ConversationId, MessageId, UserId
from messaging.domain.changes import ChangeKind
from messaging.domain.conversations import Conversation
from messaging.domain.keys import WrappedKey
from messaging.domain.messages import Message, SealedText, SentMark
from messaging.domain.outcomes import MessageNotFound
from messaging.domain.people import Actor
from messaging.repository.attachments import AttachmentRepository, ReadableAttachment
from messaging.repository.conversations import conversation_of
from service_kit.database import Connection

_INSERT = """
    with sent as (
        insert into messages (id, conversation_id, sequence, revision, author_id, author_role, sent_at, reply_to_id,
                              attachment_count, sealed_sequence, key_version, nonce, ciphertext, sent_digest, sent_key_version)
        select $1::uuid, $2::uuid, $3::bigint, 1, $4::uuid, $5, $6::timestamptz, $7::uuid, $8::int, $3, $9::int, $10::bytea,
               $11::bytea, $12::bytea, $9
        where $7::uuid is null or exists (select from messages r where r.id = $7 and r.conversation_id = $2)
        on conflict do nothing returning id
    )
    insert into conversation_changes (conversation_id, sequence, kind, at, actor_id, message_id)
    select $2, $3, 'message-sent', $6, $4, id from sent
"""
# One round trip takes the next place of the message's conversation and reads the message. Its row is read before the conversation
# is held, so what may have changed meanwhile is read again by `get`.
_NUMBER = """
    update conversations c set last_sequence = c.last_sequence + 1, last_change_at = greatest(c.last_change_at, $3)
    from messages m where m.id = $1 and c.id = m.conversation_id and $2 = any(c.member_ids) returning c.*
"""
# Each text comes with its wrapped key, so that reading takes one round trip; of a destroyed key nothing comes.
COLUMNS = "m.*, k.kek_id, k.wrapped_key"
KEYS = "left join conversation_keys k on k.conversation_id = m.conversation_id and k.version = m.key_version"
_GET = "select * from messages m where m.id = $1"
_UPDATE = """
    with changed as (
        update messages set revision = $2, edited_at = $3, deleted_at = $4, sealed_sequence = coalesce($5, sealed_sequence),
            key_version = coalesce($6, key_version), nonce = $7, ciphertext = $8
        where id = $1 returning id, conversation_id
    )
    insert into conversation_changes (conversation_id, sequence, kind, at, actor_id, message_id)
    select conversation_id, $9::bigint, $10, $11::timestamptz, $12::uuid, id from changed
"""
_HISTORY = (
    f"select {COLUMNS} from messages m {KEYS} where m.conversation_id = $1 and ($2::bigint is null or m.sequence < $2)"  # noqa: S608  # constants of this module
    " order by m.sequence desc limit $3"
)
_READABLE = (
    f"select {COLUMNS} from messages m {KEYS} join conversations c on c.id = m.conversation_id"  # noqa: S608  # the same
    " where m.id = $1 and $2 = any(c.member_ids)"
)
# Conversation by conversation, the youngest conversation first and in it the youngest message, so that a page reads no more rows
# than it has to, however many there are.
_SCAN = """
    select m.*, k.kek_id, k.wrapped_key from (
        select me.conversation_id from conversation_members me
        where me.user_id = $1 and me.left_at is null and ($2::uuid is null or me.conversation_id = $2)
          and ($3::uuid is null or me.conversation_id <= $3)
        order by me.conversation_id desc
    ) mine
    cross join lateral (
        select * from messages s
        where s.conversation_id = mine.conversation_id and ($3::uuid is null or s.conversation_id < $3 or s.sequence < $4)
        order by s.sequence desc limit $5
    ) m
    left join conversation_keys k on k.conversation_id = m.conversation_id and k.version = m.key_version
    order by m.conversation_id desc, m.sequence desc limit $5
"""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it is read: with the wrapped key of its text, unless that was destroyed, and with its files."""

    message: Message
    key: WrappedKey | None
    files: tuple[ReadableAttachment, ...] = ()


class MessageRepository:
    """Reads and writes messages, each change with its place in the feed, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, message: Message, mark: SentMark) -> bool:
        """Writes a new message; false when its id is taken, or the message that it answers is not in its conversation."""
        sealed = message.sealed
        if sealed is None:
            raise ValueError("a new message has a text")
        tag = await self._connection.execute(
            _INSERT,
            message.id,
            message.conversation_id,
            message.sequence,
            message.author_id,
            message.author_role.value,
            message.sent_at,
            message.reply_to_id,
            message.attachment_count,
            sealed.key_version,
            sealed.nonce,
            sealed.ciphertext,
            mark.digest,
        )
        return tag == "INSERT 0 1"

    async def number(self, message_id: UUID, actor: Actor, now: datetime) -> Conversation:
        """Takes the next place of the message's conversation, in which the actor takes part, and holds it."""
        row = await self._connection.fetchrow(_NUMBER, message_id, actor.user_id, now)
        if row is None:
            raise MessageNotFound
        return conversation_of(row)

    async def get(self, message_id: UUID) -> Message:
        """The message, whoever asks."""
        row = await self._connection.fetchrow(_GET, message_id)
        if row is None:
            raise MessageNotFound
        return message_of(row)

    async def find_readable(self, message_id: UUID, reader_id: UUID) -> StoredMessage | None:
        """A message of a conversation in which the reader takes part."""
        row = await self._connection.fetchrow(_READABLE, message_id, reader_id)
        return (await with_files(self._connection, [stored_message(row)]))[0] if row else None

    async def find_sent(self, message_id: UUID) -> SentMark | None:
        """What tells a retry of this message from another message, whoever asks."""
        row = await self._connection.fetchrow(_GET, message_id)
        return SentMark(row["sent_key_version"], row["sent_digest"]) if row else None

    async def save(self, message: Message, kind: ChangeKind, held: Conversation) -> None:
        """Writes the new state of a message at the place that this transaction took."""
        sealed = message.sealed
        await self._connection.execute(
            _UPDATE,
            message.id,
            message.revision,
            message.edited_at,
            message.deleted_at,
            sealed and sealed.sequence,
            sealed and sealed.key_version,
            sealed and sealed.nonce,
            sealed and sealed.ciphertext,
            held.last_sequence,
            kind.value,
            held.last_change_at,
            message.author_id,
        )

    async def list_before(self, conversation_id: UUID, before: int | None, limit: int) -> list[StoredMessage]:
        """At most so many messages of a conversation from before this place back, the youngest first."""
        rows = await self._connection.fetch(_HISTORY, conversation_id, before, limit)
        return await with_files(self._connection, [stored_message(row) for row in rows])

    async def scan(
        self, reader_id: UUID, *, conversation_id: UUID | None, before: tuple[UUID, int] | None, limit: int
    ) -> list[StoredMessage]:
        """Messages of the reader's conversations, deleted ones too, conversation by conversation, from before a place back."""
        last_conversation, place = before or (None, None)
        rows = await self._connection.fetch(_SCAN, reader_id, conversation_id, last_conversation, place, limit)
        return await with_files(self._connection, [stored_message(row) for row in rows])


def message_of(row: asyncpg.Record) -> Message:
    """The message in a row that has all its columns."""
    sealed = None
    if row["ciphertext"] is not None:
        sealed = SealedText(row["key_version"], row["sealed_sequence"], row["nonce"], row["ciphertext"])
    return Message(
        id=MessageId(row["id"]),
        conversation_id=ConversationId(row["conversation_id"]),
        sequence=row["sequence"],
        revision=row["revision"],
        author_id=UserId(row["author_id"]),
        author_role=Role(row["author_role"]),
        sent_at=row["sent_at"],
        sealed=sealed,
        attachment_count=row["attachment_count"],
        reply_to_id=row["reply_to_id"] and MessageId(row["reply_to_id"]),
        edited_at=row["edited_at"],
        deleted_at=row["deleted_at"],
    )


def stored_message(row: asyncpg.Record) -> StoredMessage:
    """The message with the wrapped key of its text."""
    wrapped = WrappedKey(row["kek_id"], row["wrapped_key"]) if row["wrapped_key"] is not None else None
    return StoredMessage(message_of(row), wrapped)


async def with_files(connection: Connection, stored: Sequence[StoredMessage]) -> list[StoredMessage]:
    """The messages with their files, which are asked for only where there are any."""
    having = [each.message.id for each in stored if each.message.attachment_count and each.message.deleted_at is None]
    files = await AttachmentRepository(connection).of_messages(having) if having else {}
    return [replace(each, files=tuple(files.get(each.message.id, ()))) for each in stored]
