"""Rows of conversations and of those who take part."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from bloom_events.auth import Role
from bloom_events.ids import ConversationId, PatientId, TherapistId, UserId
from bloom_events.messaging import ConversationKind
from messaging.domain.conversations import Conversation, ConversationView, Member
from messaging.domain.outcomes import ConversationNotFound
from service_kit.database import Connection
from service_kit.unit_of_work import UnitOfWork

MOST_UNREAD = 100
"""Counting unread messages ends here."""

# The row of the conversation is the lock of all that changes in it, and holds who takes part: whoever waited for it sees in it
# what is true now, while other tables are seen as they were before the wait.
_NUMBER = """
    update conversations set last_sequence = last_sequence + 1, last_change_at = greatest(last_change_at, $3)
    where id = $1 and $2 = any(member_ids) returning *
"""
# Nothing is numbered for an id that is there already, as it is when a message is sent once more.
_NUMBER_MESSAGE = """
    update conversations set last_sequence = last_sequence + 1, last_change_at = greatest(last_change_at, $3),
        last_message_at = greatest(last_change_at, $3)
    where id = $1 and $2 = any(member_ids) and not exists (select from messages m where m.id = $4) returning *
"""
_GIVE_BACK = "update conversations set last_sequence = last_sequence - 1 where id = $1 and last_sequence = $2"
_LOCK = "select * from conversations where id = $1 and ($2::uuid is null or $2 = any(member_ids)) for no key update"
_LOCK_DIRECT = """
    select * from conversations where patient_id = $1 and therapist_id = $2 and kind = 'direct' and keys_destroyed_at is null
    for no key update
"""
_IS_MEMBER = "select c.* from conversations c where c.id = $1 and ($2::uuid is null or $2 = any(c.member_ids))"
_INSERT = """
    insert into conversations (id, kind, patient_id, therapist_id, opened_by, opened_at, member_ids, therapist_ids, last_sequence,
                               last_change_at, key_version)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict do nothing
"""
_UPDATE = """
    update conversations set member_ids = $2, therapist_ids = $3, last_sequence = $4, last_change_at = $5, key_version = $6,
        keys_destroyed_at = $7
    where id = $1
"""
_JOIN = """
    insert into conversation_members (conversation_id, user_id, role, joined_at, delivered_sequence, read_sequence)
    values ($1, $2, $3, $4, $5, $5)
    on conflict (tenant_id, conversation_id, user_id) do update
        set role = excluded.role, joined_at = excluded.joined_at, left_at = null,
            delivered_sequence = excluded.delivered_sequence, read_sequence = excluded.read_sequence
"""
_LEAVE = "update conversation_members set left_at = $3 where conversation_id = $1 and user_id = $2"
_LOCK_MEMBER = """
    select c.last_sequence, m.* from conversations c
    join conversation_members m on m.conversation_id = c.id and m.user_id = $2
    where c.id = $1 and $2 = any(c.member_ids) for no key update
"""
_CONFIRM = """
    update conversation_members set delivered_sequence = $3, read_sequence = $4 where conversation_id = $1 and user_id = $2
"""
_ROLE = "select role from conversation_members where conversation_id = $1 and user_id = $2 and left_at is null"

_VIEW = """
    select c.*, me.read_sequence as my_read,
        (select jsonb_agg(jsonb_build_array(m.user_id, m.role, m.joined_at, m.delivered_sequence, m.read_sequence)
                          order by m.joined_at, m.user_id)
         from conversation_members m where m.conversation_id = c.id and m.left_at is null) as members,
        (select count(*) from (
            select from messages s where s.conversation_id = c.id and s.sequence > me.read_sequence
                and s.author_id <> me.user_id and s.deleted_at is null limit 100) as unseen) as unread
    from conversations c
"""
_OF_MEMBER = _VIEW + " join conversation_members me on me.conversation_id = c.id and me.user_id = $1 and me.left_at is null"
# Administrators see who takes part in which conversation, and nothing that is written there.
_OF_ADMINISTRATOR = _VIEW + " left join conversation_members me on me.conversation_id = c.id and me.user_id = $1 and false"
_GET_OF_MEMBER = _OF_MEMBER + " where c.id = $2"
_GET_OF_ADMINISTRATOR = _OF_ADMINISTRATOR + " where c.id = $2"
_LIST_WHERE = " where ($2::uuid is null or c.patient_id = $2)"
_LIST_OF_MEMBER = (
    _OF_MEMBER + _LIST_WHERE + " and ($3::uuid is null or me.conversation_id < $3) order by me.conversation_id desc limit $4"
)
_LIST_OF_ADMINISTRATOR = _OF_ADMINISTRATOR + _LIST_WHERE + " and ($3::uuid is null or c.id < $3) order by c.id desc limit $4"


class ConversationRepository:
    """Reads and writes conversations within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def number(self, conversation_id: UUID, actor_id: UUID, now: datetime) -> Conversation:
        """Takes the next place of a conversation in which the actor takes part, and holds it until the end of the transaction."""
        row = await self._connection.fetchrow(_NUMBER, conversation_id, actor_id, now)
        return _found(row)

    async def number_message(self, conversation_id: UUID, actor_id: UUID, message_id: UUID, now: datetime) -> Conversation | None:
        """The same for a new message; None when the actor takes no part, or a message of this id is there."""
        row = await self._connection.fetchrow(_NUMBER_MESSAGE, conversation_id, actor_id, now, message_id)
        return _conversation(row) if row else None

    async def give_back(self, held: Conversation) -> None:
        """The place that this transaction took stays free for the next change."""
        await self._connection.execute(_GIVE_BACK, held.id, held.last_sequence)

    async def lock(self, conversation_id: UUID, member_id: UUID | None = None) -> Conversation:
        """A conversation, held until the end of the transaction; with `member_id` one in which that person takes part."""
        return _found(await self._connection.fetchrow(_LOCK, conversation_id, member_id))

    async def find_direct(self, patient_id: UUID, therapist_id: UUID) -> Conversation | None:
        """The conversation of the two that is not closed, held until the end of the transaction."""
        row = await self._connection.fetchrow(_LOCK_DIRECT, patient_id, therapist_id)
        return _conversation(row) if row else None

    async def get(self, conversation_id: UUID, member_id: UUID | None) -> Conversation:
        """A conversation in which the person takes part; any when none is named."""
        return _found(await self._connection.fetchrow(_IS_MEMBER, conversation_id, member_id))

    async def add(self, conversation: Conversation) -> bool:
        """Writes a new conversation; false when the two have one already, which somebody else has just opened."""
        return await self._connection.execute(_INSERT, *_inserted(conversation)) == "INSERT 0 1"

    async def save(self, conversation: Conversation) -> None:
        """Writes the new state of a conversation that this transaction holds."""
        await self._connection.execute(
            _UPDATE,
            conversation.id,
            conversation.member_ids,
            conversation.therapist_ids,
            conversation.last_sequence,
            conversation.last_change_at,
            conversation.key_version,
            conversation.keys_destroyed_at,
        )

    async def add_member(self, conversation: Conversation, user_id: UUID, role: Role) -> None:
        """Notes who has just joined; what was written before does not count as unread."""
        place = conversation.last_sequence
        await self._connection.execute(_JOIN, conversation.id, user_id, role.value, conversation.last_change_at, place)

    async def remove_member(self, conversation: Conversation, user_id: UUID) -> None:
        """Notes who has just left."""
        await self._connection.execute(_LEAVE, conversation.id, user_id, conversation.last_change_at)

    async def role_of(self, conversation_id: UUID, user_id: UUID) -> Role | None:
        """The role in which somebody takes part; None when they do not."""
        found = await self._connection.fetchval(_ROLE, conversation_id, user_id)
        return Role(found) if found else None

    async def lock_member(self, conversation_id: UUID, user_id: UUID) -> tuple[Member, int]:
        """A member with the conversation's last place, both held."""
        row = await self._connection.fetchrow(_LOCK_MEMBER, conversation_id, user_id)
        if row is None:
            raise ConversationNotFound
        return _member(row), row["last_sequence"]

    async def save_receipt(self, member: Member) -> None:
        """Writes how far a member has got."""
        await self._connection.execute(_CONFIRM, member.conversation_id, member.user_id, member.delivered, member.read)

    async def list_of_member(
        self, user_id: UUID, *, patient_id: UUID | None, before: UUID | None, limit: int
    ) -> list[ConversationView]:
        """Conversations in which the person takes part, the youngest first."""
        rows = await self._connection.fetch(_LIST_OF_MEMBER, user_id, patient_id, before, limit)
        return [_view(row) for row in rows]

    async def list_of_administrator(
        self, user_id: UUID, *, patient_id: UUID | None, before: UUID | None, limit: int
    ) -> list[ConversationView]:
        """All conversations, the youngest first."""
        rows = await self._connection.fetch(_LIST_OF_ADMINISTRATOR, user_id, patient_id, before, limit)
        return [_view(row) for row in rows]


async def read_view(uow: UnitOfWork, conversation_id: UUID, viewer_id: UUID, *, is_administrator: bool) -> ConversationView:
    """The conversation as the viewer may see it, in one round trip."""
    query = _GET_OF_ADMINISTRATOR if is_administrator else _GET_OF_MEMBER
    row = await uow.fetch_one(query, viewer_id, conversation_id)
    if row is None:
        raise ConversationNotFound
    return _view(row)


def conversation_of(row: asyncpg.Record) -> Conversation:
    """The conversation in a row that has all its columns."""
    return _conversation(row)


def _found(row: asyncpg.Record | None) -> Conversation:
    if row is None:
        raise ConversationNotFound
    return _conversation(row)


def _inserted(conversation: Conversation) -> tuple[object, ...]:
    return (
        conversation.id,
        conversation.kind.value,
        conversation.patient_id,
        conversation.therapist_id,
        conversation.opened_by,
        conversation.opened_at,
        conversation.member_ids,
        conversation.therapist_ids,
        conversation.last_sequence,
        conversation.last_change_at,
        conversation.key_version,
    )


def _conversation(row: asyncpg.Record) -> Conversation:
    return Conversation(
        id=ConversationId(row["id"]),
        kind=ConversationKind(row["kind"]),
        patient_id=PatientId(row["patient_id"]),
        therapist_id=row["therapist_id"] and TherapistId(row["therapist_id"]),
        opened_by=UserId(row["opened_by"]),
        opened_at=row["opened_at"],
        member_ids=tuple(row["member_ids"]),
        therapist_ids=tuple(row["therapist_ids"]),
        last_sequence=row["last_sequence"],
        last_change_at=row["last_change_at"],
        key_version=row["key_version"],
        last_message_at=row["last_message_at"],
        keys_destroyed_at=row["keys_destroyed_at"],
    )


def _member(row: asyncpg.Record) -> Member:
    return Member(
        conversation_id=ConversationId(row["conversation_id"]),
        user_id=UserId(row["user_id"]),
        role=Role(row["role"]),
        joined_at=row["joined_at"],
        left_at=row["left_at"],
        delivered=row["delivered_sequence"],
        read=row["read_sequence"],
    )


def _view(row: asyncpg.Record) -> ConversationView:
    conversation = _conversation(row)
    members = tuple(
        Member(conversation.id, UserId(UUID(user_id)), Role(role), datetime.fromisoformat(joined_at), None, delivered, read)
        for user_id, role, joined_at, delivered, read in row["members"] or ()
    )
    unread = None if row["my_read"] is None else cast("int", row["unread"])
    return ConversationView(conversation, members, unread)
