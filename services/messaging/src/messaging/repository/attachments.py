"""Rows of attachments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from bloom_events.ids import AttachmentId, ConversationId, MessageId, TenantId, UserId
from messaging.domain.attachments import MAX_UNSENT, NAME_PLACE, Attachment, AttachmentNotFound, AttachmentState, Content
from messaging.domain.keys import WrappedKey
from messaging.domain.messages import SealedText
from service_kit.database import Connection
from service_kit.unit_of_work import UnitOfWork

# One person's announcements wait for each other, so that they are counted one after the other.
_LOCK_UPLOADER = (
    "select pg_advisory_xact_lock(hashtextextended(current_setting('app.tenant_id') || 'attachments' || $1::uuid::text, 0))"
)
_HAS_ROOM = f"""
    select count(*) < {MAX_UNSENT} from (
        select from attachments where uploader_id = $1 and state in ('pending', 'uploaded') limit {MAX_UNSENT}) as unsent
"""  # noqa: S608  # a limit of the program
_INSERT = """
    insert into attachments (id, conversation_id, uploader_id, content_type, size_bytes, sha256, key_version, name_nonce,
                             name_ciphertext, state, requested_at)
    select $1::uuid, c.id, $3::uuid, $4, $5::bigint, $6::bytea, $7::int, $8::bytea, $9::bytea, $10, $11::timestamptz
    from conversations c where c.id = $2 and $3 = any(c.member_ids) and c.keys_destroyed_at is null
"""
_OWN = "select * from attachments where id = $1 and uploader_id = $2 and state <> 'discarded'"
_SETTLE = "update attachments set state = $2 where id = $1 and state = 'pending'"
_READABLE = """
    select a.*, k.kek_id, k.wrapped_key from attachments a
    join conversations c on c.id = a.conversation_id and $2 = any(c.member_ids)
    join conversation_keys k on k.conversation_id = a.conversation_id and k.version = a.key_version and k.wrapped_key is not null
    where a.id = $1 and (a.state = 'attached' or (a.state = 'uploaded' and a.uploader_id = $2))
"""
_ATTACH = """
    with wanted as (select id, position from unnest($1::uuid[]) with ordinality as w(id, position)),
    taken as (
        update attachments a set state = 'attached', message_id = $2, position = wanted.position
        from wanted where a.id = wanted.id and a.state = 'uploaded' and a.conversation_id = $3 and a.uploader_id = $4
        returning a.id
    )
    select count(*) from taken
"""
_OF_MESSAGES = """
    select a.*, k.kek_id, k.wrapped_key from attachments a
    join conversation_keys k on k.conversation_id = a.conversation_id and k.version = a.key_version and k.wrapped_key is not null
    where a.message_id = any($1::uuid[]) order by a.message_id, a.position
"""
_DISCARD_OF_MESSAGE = "update attachments set state = 'discarded', message_id = null, position = null where message_id = $1"
_DISCARD_OF_CONVERSATION = """
    update attachments set state = 'discarded', message_id = null, position = null
    where conversation_id = $1 and state <> 'discarded'
"""
# Materialized: a subquery that locks may be run again inside of a join, and then takes more than its limit.
_DISCARD_OLD = """
    with old as materialized (
        select tenant_id, id from attachments where state in ('pending', 'uploaded') and requested_at < $1
        order by requested_at limit $2 for update skip locked)
    update attachments a set state = 'discarded' from old where (a.tenant_id, a.id) = (old.tenant_id, old.id)
"""
_DISCARDED = """
    select tenant_id, conversation_id, id from attachments where state = 'discarded' and requested_at < $1
    order by requested_at limit $2
"""
_REMOVE = "delete from attachments where tenant_id = $1 and id = $2 and state = 'discarded'"


@dataclass(frozen=True, slots=True)
class ReadableAttachment:
    """An attachment with the wrapped key that its name is sealed under."""

    attachment: Attachment
    key: WrappedKey


class AttachmentRepository:
    """Reads and writes attachments within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def has_room(self, uploader_id: UUID) -> bool:
        """Whether the person may announce another file; holds all other announcements of the person."""
        await self._connection.execute(_LOCK_UPLOADER, uploader_id)
        return bool(await self._connection.fetchval(_HAS_ROOM, uploader_id))

    async def add(self, attachment: Attachment) -> bool:
        """Writes an announced file; false when its uploader takes no part in the conversation, or that is closed."""
        content, name = attachment.content, attachment.name
        tag = await self._connection.execute(
            _INSERT,
            attachment.id,
            attachment.conversation_id,
            attachment.uploader_id,
            content.content_type,
            content.size_bytes,
            content.sha256,
            name.key_version,
            name.nonce,
            name.ciphertext,
            attachment.state.value,
            attachment.requested_at,
        )
        return tag == "INSERT 0 1"

    async def settle(self, attachment: Attachment) -> None:
        """Writes what the check of an upload found, unless somebody else did before."""
        await self._connection.execute(_SETTLE, attachment.id, attachment.state.value)

    async def attach(self, attachment_ids: Sequence[UUID], *, message_id: UUID, conversation_id: UUID, author_id: UUID) -> bool:
        """Makes uploaded files of the author's part of a message that is written already, in this order.

        False when one of them is not to be had for that; the transaction then has to be rolled back.
        """
        taken = await self._connection.fetchval(_ATTACH, attachment_ids, message_id, conversation_id, author_id)
        return bool(taken == len(attachment_ids))

    async def of_messages(self, message_ids: Sequence[UUID]) -> Mapping[MessageId, list[ReadableAttachment]]:
        """The files of each message that has any, in their order; none whose key is destroyed."""
        found: dict[MessageId, list[ReadableAttachment]] = defaultdict(list)
        for row in await self._connection.fetch(_OF_MESSAGES, message_ids):
            found[MessageId(row["message_id"])].append(_readable(row))
        return found

    async def discard_of_message(self, message_id: UUID) -> None:
        """The files of a message that was taken back are to be removed."""
        await self._connection.execute(_DISCARD_OF_MESSAGE, message_id)

    async def discard_of_conversation(self, conversation_id: UUID) -> None:
        """All files of a conversation whose keys are destroyed are to be removed."""
        await self._connection.execute(_DISCARD_OF_CONVERSATION, conversation_id)


async def read_own(uow: UnitOfWork, attachment_id: UUID, uploader_id: UUID) -> Attachment:
    """A file that the person announced."""
    row = await uow.fetch_one(_OWN, attachment_id, uploader_id)
    if row is None:
        raise AttachmentNotFound
    return attachment_of(row)


async def read_readable(uow: UnitOfWork, attachment_id: UUID, reader_id: UUID) -> ReadableAttachment:
    """A file of a message that the person may read, or one that they have uploaded themselves."""
    row = await uow.fetch_one(_READABLE, attachment_id, reader_id)
    if row is None:
        raise AttachmentNotFound
    return _readable(row)


class DiscardedFiles:
    """The files of all tenants that nobody can reach any more, for the housekeeping beside the relay."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def discard_old(self, before: datetime, limit: int) -> int:
        """Gives up files that were announced before this moment and are part of no message; says how many."""
        tag = await self._connection.execute(_DISCARD_OLD, before, limit)
        return int(tag.rpartition(" ")[2])

    async def list(self, before: datetime, limit: int) -> list[tuple[TenantId, ConversationId, AttachmentId]]:
        """Files to remove from the object store that were announced before this moment."""
        rows = await self._connection.fetch(_DISCARDED, before, limit)
        return [(TenantId(row[0]), ConversationId(row[1]), AttachmentId(row[2])) for row in rows]

    async def remove(self, tenant_id: UUID, attachment_id: UUID) -> None:
        """Forgets a file whose content is gone."""
        await self._connection.execute(_REMOVE, tenant_id, attachment_id)


def _readable(row: asyncpg.Record) -> ReadableAttachment:
    return ReadableAttachment(attachment_of(row), WrappedKey(row["kek_id"], row["wrapped_key"]))


def attachment_of(row: asyncpg.Record) -> Attachment:
    """The attachment in a row that has all its columns."""
    return Attachment(
        id=AttachmentId(row["id"]),
        conversation_id=ConversationId(row["conversation_id"]),
        uploader_id=UserId(row["uploader_id"]),
        content=Content(row["content_type"], row["size_bytes"], row["sha256"]),
        name=SealedText(row["key_version"], NAME_PLACE, row["name_nonce"], row["name_ciphertext"]),
        state=AttachmentState(row["state"]),
        requested_at=row["requested_at"],
        message_id=row["message_id"] and MessageId(row["message_id"]),
    )
