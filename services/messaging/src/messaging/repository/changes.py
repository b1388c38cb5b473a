"""Rows of the feed: what happened in a conversation, in its gapless order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from bloom_events.auth import Role
from bloom_events.ids import ConversationId, UserId
from messaging.domain.changes import AnyChange, ChangeKind, ClosedChange, MemberChange, MessageChange, ReceiptChange
from messaging.domain.conversations import Member
from messaging.repository.messages import COLUMNS, KEYS, StoredMessage, stored_message, with_files
from service_kit.database import Connection

_INSERT = """
    insert into conversation_changes (conversation_id, sequence, kind, at, actor_id, member_id, member_role, delivered_sequence,
                                      read_sequence)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
# A receipt takes its place in the same round trip; the row of the conversation is held already.
_INSERT_RECEIPT = """
    with numbered as (
        update conversations set last_sequence = last_sequence + 1, last_change_at = greatest(last_change_at, $2)
        where id = $1 returning id, last_sequence, last_change_at
    )
    insert into conversation_changes (conversation_id, sequence, kind, at, actor_id, member_id, delivered_sequence, read_sequence)
    select id, last_sequence, 'receipt', last_change_at, $3, $3, $4, $5 from numbered
    returning sequence, at
"""
_BEHIND = (
    "select h.sequence as place, h.kind, h.at, h.actor_id, h.member_id, h.member_role, h.delivered_sequence, h.read_sequence,"  # noqa: S608  # constants of the room
    f" {COLUMNS} from conversation_changes h left join messages m on m.id = h.message_id {KEYS}"
    " where h.conversation_id = $1 and h.sequence > $2 order by h.sequence limit $3"
)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A change, and its message with what opens its text."""

    change: AnyChange
    stored: StoredMessage | None


class ChangeRepository:
    """Reads and writes the feed within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, change: MemberChange | ClosedChange) -> None:
        """Writes a change at the place that its transaction holds."""
        member_id, role = (change.member_id, change.member_role.value) if isinstance(change, MemberChange) else (None, None)
        kind = change.kind if isinstance(change, MemberChange) else ChangeKind.CLOSED
        place = (change.conversation_id, change.sequence, kind.value, change.at, change.actor_id)
        await self._connection.execute(_INSERT, *place, member_id, role, None, None)

    async def add_receipt(self, member: Member, now: datetime) -> int:
        """Writes how far a member has got, at the next place of the conversation, which it gives."""
        return int(
            await self._connection.fetchval(
                _INSERT_RECEIPT, member.conversation_id, now, member.user_id, member.delivered, member.read
            )
        )

    async def list_behind(self, conversation_id: UUID, after: int, limit: int) -> list[FeedEntry]:
        """At most so many changes from behind this place on, in order."""
        rows = await self._connection.fetch(_BEHIND, conversation_id, after, limit)
        stored = iter(await with_files(self._connection, [stored_message(row) for row in rows if row["id"] is not None]))
        return [entry_of(row, ConversationId(conversation_id), next(stored) if row["id"] else None) for row in rows]


def entry_of(row: asyncpg.Record, conversation_id: ConversationId, stored: StoredMessage | None) -> FeedEntry:
    """The change in a row that has its columns, with `sequence` called `place`."""
    return FeedEntry(_change(row, conversation_id, stored), stored)


def _change(row: asyncpg.Record, conversation_id: ConversationId, stored: StoredMessage | None) -> AnyChange:
    kind, actor_id = ChangeKind(row["kind"]), UserId(row["actor_id"])
    place = {"conversation_id": conversation_id, "sequence": row["place"], "at": row["at"], "actor_id": actor_id}
    if kind is ChangeKind.RECEIPT:
        member_id, delivered, read = row["member_id"], row["delivered_sequence"], row["read_sequence"]
        return ReceiptChange(member_id=UserId(member_id), delivered=delivered, read=read, **place)
    if kind is ChangeKind.MEMBER_JOINED or kind is ChangeKind.MEMBER_LEFT:
        return MemberChange(kind=kind, member_id=UserId(row["member_id"]), member_role=Role(row["member_role"]), **place)
    if kind is ChangeKind.CLOSED or stored is None:
        return ClosedChange(**place)
    return MessageChange(kind=kind, message=stored.message, **place)
