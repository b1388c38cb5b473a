"""What the socket processes read: who is connected, what they may follow, and what has happened since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from asyncpg import Record

from bloom_events.alerts import ChainStep
from bloom_events.ids import AlertId, ConversationId, EventId, PatientId
from bloom_events.risk import RiskLevel
from messaging.domain.alerts import AlertStanding, Origin
from messaging.domain.feed import AlertPush, Found, Standing
from messaging.repository.changes import FeedEntry, entry_of
from messaging.repository.messages import COLUMNS, KEYS, stored_message, with_files
from service_kit.database import Connection
from service_kit.unit_of_work import UnitOfWork

_BEHIND = (
    "select h.conversation_id as room, h.sequence as place, h.kind, h.at, h.actor_id, h.member_id, h.member_role,"  # noqa: S608  # constants of the room
    f" h.delivered_sequence, h.read_sequence, {COLUMNS} from unnest($1::uuid[], $2::bigint[]) as wanted(id, after)"
    " cross join lateral (select * from conversation_changes c where c.conversation_id = wanted.id and c.sequence > wanted.after"
    f" order by c.sequence limit $3) h left join messages m on m.id = h.message_id {KEYS} order by room, place"
)
_STANDING = """
    select exists (select from ended_sessions where session_id = $2) as is_ended,
        exists (select from people where user_id = $1 and status = 'suspended') as is_suspended
"""
_FOLLOWED = """
    select c.id, c.last_sequence from conversation_members m join conversations c on c.id = m.conversation_id
    where m.user_id = $1 and m.left_at is null order by c.id desc limit $2
"""
_PLACE = "select last_sequence from conversations c where c.id = $1 and $2 = any(c.member_ids)"
# A restored backup may hold larger numbers of transactions than the cluster has reached: those are left out.
_LOOK = """
    select 'snapshot' as kind, null::uuid as id, null::uuid as user_id,
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint as number
    union all
    select 'conversation', conversation_id, null, max(sequence) from conversation_changes
        where changed_in >= $1 and changed_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint group by conversation_id
    union all
    select 'member', conversation_id, user_id, null from conversation_members
        where changed_in >= $1 and changed_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint and left_at is null
    union all
    select 'alert', alert_id, user_id, revision from alert_pushes
        where changed_in >= $1 and changed_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
    union all
    select 'session', session_id, user_id, null from ended_sessions
        where changed_in >= $1 and changed_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
    union all
    select 'suspended', null, user_id, null from people
        where changed_in >= $1 and changed_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint and status = 'suspended'
"""
_NOW = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as number"
_ALERTS = """
    select * from alert_pushes a where a.user_id = any($1::uuid[])
        and case when $2::uuid[] is null then a.state <> 'resolved' else a.alert_id = any($2) end
    order by a.changed_at desc, a.alert_id limit $3
"""
_MEMBERS = "select member_ids from conversations c where c.id = $1"
_CONVERSATIONS_OF = "select conversation_id from conversation_members where user_id = $1 and left_at is null limit $2"


class FeedRepository:
    """What is read together when somebody connects or joins, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def standing(self, user_id: UUID, session_id: UUID, most: int) -> Standing:
        """How a person stands; of the conversations at most the so many youngest."""
        flags = await self._connection.fetchrow(_STANDING, user_id, session_id)
        followed = await self._connection.fetch(_FOLLOWED, user_id, most)
        return Standing(
            is_ended=bool(flags and flags["is_ended"]),
            is_suspended=bool(flags and flags["is_suspended"]),
            conversations={row["id"]: row["last_sequence"] for row in followed},
        )


async def read_place(uow: UnitOfWork, conversation_id: UUID, member_id: UUID) -> int | None:
    """The place of the latest change of a conversation; None for somebody who takes no part in it."""
    row = await uow.fetch_one(_PLACE, conversation_id, member_id)
    return None if row is None else int(row["last_sequence"])


async def read_behind(uow: UnitOfWork, wanted: Mapping[UUID, int], limit: int) -> list[FeedEntry]:
    """Changes of each conversation from behind a place on, in order, at most so many of each."""
    rows = await uow.fetch_all(_BEHIND, list(wanted), list(wanted.values()), limit)
    stored = [stored_message(row) for row in rows if row["id"] is not None]
    if any(each.message.attachment_count for each in stored):
        async with uow.begin() as transaction:
            stored = await with_files(transaction.connection, stored)
    messages = iter(stored)
    return [entry_of(row, ConversationId(row["room"]), next(messages) if row["id"] else None) for row in rows]


async def read_snapshot(uow: UnitOfWork) -> int:
    """Where a first look begins: what commits from now on is behind it."""
    row = await uow.fetch_one(_NOW)
    return int(row["number"]) if row else 0


async def look(uow: UnitOfWork, since: int) -> Found:
    """Everything of the tenant that may have become visible since a snapshot. What an earlier look gave may come again."""
    found = Found(since)
    for row in await uow.fetch_all(_LOOK, since):
        match row["kind"]:
            case "snapshot":
                found.snapshot = row["number"]
            case "conversation":
                found.conversations[row["id"]] = row["number"]
            case "member":
                found.members.append((row["id"], row["user_id"]))
            case "alert":
                found.alerts.append((row["id"], row["user_id"]))
            case "session":
                found.sessions.append(row["id"])
            case _:
                found.suspended.append(row["user_id"])
    return found


async def read_alerts(uow: UnitOfWork, user_ids: Sequence[UUID], alert_ids: Sequence[UUID] | None, limit: int) -> list[AlertPush]:
    """What these people are told of these alerts, the latest last; without ids, of those that are open, the latest so many."""
    rows = await uow.fetch_all(_ALERTS, user_ids, alert_ids, limit)
    return [
        AlertPush(
            alert_id=AlertId(row["alert_id"]),
            user_id=row["user_id"],
            conversation_id=ConversationId(row["conversation_id"]),
            patient_id=PatientId(row["patient_id"]),
            state=AlertStanding(row["state"]),
            level=RiskLevel(row["level"]),
            step=row["step"] and ChainStep(row["step"]),
            deadline=row["deadline"],
            revision=row["revision"],
            changed_at=row["changed_at"],
            is_pushed=row["pushed_at"] is not None,
            origin=_origin(row),
        )
        for row in reversed(rows)
    ]


def _origin(row: Record) -> Origin | None:
    """None for what was noted before origins were kept."""
    correlation_id, causation_id = row["correlation_id"], row["causation_id"]
    return Origin(correlation_id, EventId(causation_id), row["traceparent"]) if correlation_id else None


async def list_conversations_of(uow: UnitOfWork, user_id: UUID, most: int) -> list[UUID]:
    """Conversations in which somebody takes part."""
    return [row["conversation_id"] for row in await uow.fetch_all(_CONVERSATIONS_OF, user_id, most)]


async def list_members(uow: UnitOfWork, conversation_id: UUID) -> list[UUID]:
    """Who takes part in a conversation."""
    row = await uow.fetch_one(_MEMBERS, conversation_id)
    return list(row["member_ids"]) if row else []
