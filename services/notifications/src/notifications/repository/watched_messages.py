"""Rows of watched messages: what is known of each change of a patient's message, whichever of its events came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from bloom_events.ids import ConversationId, MessageId, PatientId, UserId
from bloom_events.risk import RiskLevel
from notifications.domain.timeline import Ending
from notifications.domain.watch import Score, WatchedMessage
from service_kit.database import Connection

_ADD = """
    insert into watched_messages as w (message_id, revision, conversation_id, patient_id, therapist_ids, written_at,
        correlation_id, committed_at, heard_at, due_at, level, received_at, scored_at, unscored_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    on conflict (tenant_id, message_id, revision) do update set events_handled = w.events_handled + 1
    returning *, exists (
        select from watched_messages o where o.message_id = w.message_id and o.revision <> w.revision) as has_others
"""
# One statement for many: sorted, so that two workers lock in the same order. A row that was there is locked and left as it is,
# but for the count of its events.
_ADD_ALL = """
    insert into watched_messages as w (message_id, revision, conversation_id, patient_id, therapist_ids, written_at,
        correlation_id, committed_at, heard_at, due_at, level, received_at, scored_at, unscored_at, events_handled)
    select message_id, revision, conversation_id, patient_id, therapist_ids::uuid[], written_at, correlation_id, committed_at,
        heard_at, due_at, level, received_at, scored_at, unscored_at, events
    from unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::uuid[], $8::timestamptz[],
        $9::timestamptz[], $10::timestamptz[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
        $15::int[]) as n (message_id, revision, conversation_id, patient_id, therapist_ids, written_at, correlation_id,
        committed_at, heard_at, due_at, level, received_at, scored_at, unscored_at, events)
    order by message_id, revision
    on conflict (tenant_id, message_id, revision) do update set events_handled = w.events_handled + excluded.events_handled
    returning *
"""
_SAVE_ALL = """
    update watched_messages w set committed_at = n.committed_at, heard_at = n.heard_at, due_at = n.due_at, level = n.level,
        received_at = n.received_at, scored_at = n.scored_at, unscored_at = n.unscored_at
    from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::timestamptz[],
        $8::timestamptz[], $9::timestamptz[])
        as n (message_id, revision, committed_at, heard_at, due_at, level, received_at, scored_at, unscored_at)
    where w.message_id = n.message_id and w.revision = n.revision
"""
_SAVE = """
    update watched_messages set committed_at = $3, heard_at = $4, due_at = $5, level = $6, received_at = $7, scored_at = $8,
        unscored_at = $9
    where message_id = $1 and revision = $2
"""
_OF_MESSAGE = "select * from watched_messages where message_id = $1"
_CLAIM = """
    select * from watched_messages where message_id = $1 and revision = $2 and due_at <= $3 for update skip locked
"""
_KEEP_ENDING = """
    insert into message_endings as e (message_id, deleted_at, withdrawn_at) values ($1, $2, $3)
    on conflict (tenant_id, message_id) do update set
        deleted_at = coalesce(e.deleted_at, excluded.deleted_at), withdrawn_at = coalesce(e.withdrawn_at, excluded.withdrawn_at)
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What was known before: the same change of the message, if it was, and whether other changes of it were."""

    before: WatchedMessage | None
    has_others: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What so many events tell of one change of a message, to somebody who knew nothing of it."""

    message: WatchedMessage
    correlation_id: UUID
    events: int


class WatchRepository:
    """Reads and writes watched messages within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, message: WatchedMessage, correlation_id: UUID) -> Found:
        """Add a row that nobody has written yet, or lock the one that is there and count the event."""
        therapists = list(message.therapists)
        row = await self._connection.fetchrow(_ADD, *_identity(message, therapists, correlation_id), *_facts(message))
        if row is None:
            raise LookupError("a row that was just written cannot be read")
        return Found(message_of(row) if row["events_handled"] > 1 else None, row["has_others"])

    async def save(self, message: WatchedMessage) -> None:
        """Write a row that this transaction holds as it now is."""
        await self._connection.execute(_SAVE, message.message_id, message.revision, *_facts(message))

    async def add_all(self, told: Sequence[Told]) -> list[WatchedMessage]:
        """Add rows, each of another change, and count their events; gives those that were there, locked, as they were before."""
        rows = [
            (*_identity(each.message, _array(each.message.therapists), each.correlation_id), *_facts(each.message), each.events)
            for each in told
        ]
        events = {each.message.key: each.events for each in told}
        found = await self._connection.fetch(_ADD_ALL, *_columns(rows))
        return [message for row in found if row["events_handled"] > events[(message := message_of(row)).key]]

    async def save_all(self, messages: Sequence[WatchedMessage]) -> None:
        """Write rows that this transaction holds as they now are."""
        if messages:
            rows = [(message.message_id, message.revision, *_facts(message)) for message in messages]
            await self._connection.execute(_SAVE_ALL, *_columns(rows))

    async def of_message(self, message_id: UUID) -> list[WatchedMessage]:
        """Every change of a message that is known."""
        return [message_of(row) for row in await self._connection.fetch(_OF_MESSAGE, message_id)]

    async def claim(self, message_id: UUID, revision: int, now: datetime) -> WatchedMessage | None:
        """A change that waits for its score no longer, locked; None when it is not due, or somebody else is at it."""
        row = await self._connection.fetchrow(_CLAIM, message_id, revision, now)
        return message_of(row) if row else None

    async def keep_ending(self, ending: Ending) -> None:
        """Add to what is known of the end of a message."""
        await self._connection.execute(_KEEP_ENDING, ending.message_id, ending.deleted_at, ending.withdrawn_at)


def _identity(message: WatchedMessage, therapists: object, correlation_id: UUID) -> tuple[object, ...]:
    about = message.message_id, message.revision, message.conversation_id, message.patient_id
    return *about, therapists, message.written_at, correlation_id


def _array(ids: Sequence[UUID]) -> str:
    """PostgreSQL's way to write an array: `unnest` would take arrays of arrays apart down to the last element."""
    return "{" + ",".join(str(each) for each in ids) + "}"


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _facts(message: WatchedMessage) -> tuple[object, ...]:
    score = message.score
    scoring = (score.level, score.received_at, score.scored_at) if score else (None, None, None)
    hearing = message.committed_at, message.heard_at, message.due_at
    return *hearing, *scoring, message.unscored_at


def message_of(row: Record) -> WatchedMessage:
    score = Score(RiskLevel(row["level"]), row["received_at"], row["scored_at"]) if row["level"] else None
    return WatchedMessage(
        message_id=MessageId(row["message_id"]),
        revision=row["revision"],
        conversation_id=ConversationId(row["conversation_id"]),
        patient_id=PatientId(row["patient_id"]),
        therapists=tuple(UserId(user_id) for user_id in row["therapist_ids"]),
        written_at=row["written_at"],
        committed_at=row["committed_at"],
        heard_at=row["heard_at"],
        due_at=row["due_at"],
        score=score,
        unscored_at=row["unscored_at"],
    )
