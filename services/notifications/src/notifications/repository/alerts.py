"""Rows of alerts, their messages, the people who were called, and every change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from bloom_events.alerts import AlertCause, ChainStep
from bloom_events.ids import AlertId, ConversationId, MessageId, PatientId, UserId
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import Alert, AlertStatus, Finding
from notifications.domain.outcomes import AlertNotFound
from notifications.domain.timeline import Point
from notifications.domain.visibility import VisibleAlerts
from service_kit.database import Connection

# Whoever opens the alert of a conversation waits here for the one who is just opening it. A statement of its own, for what the
# next one sees has to begin after the wait.
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended($1::text, 0))"
_LOCK_OPEN = "select * from alerts where conversation_id = $1 and status <> 'resolved' for update"
_CLAIM_DUE = "select * from alerts where id = $1 and status = 'calling' and deadline <= $2 for update skip locked"
_VISIBLE = """
    select a.* from alerts a
    where a.id = $1 and ($2::uuid is null or exists (
        select from alert_people p where p.tenant_id = a.tenant_id and p.alert_id = a.id and p.user_id = $2))
"""
_LOCK_VISIBLE = _VISIBLE + " for update of a"
_LIST_ALL = """
    select a.* from alerts a
    where ($1::text[] is null or a.status = any($1)) and ($2::uuid is null or a.id < $2)
    order by a.id desc limit $3
"""
_LIST_OF_CALLED = """
    select a.* from alert_people p join alerts a on a.tenant_id = p.tenant_id and a.id = p.alert_id
    where p.user_id = $4 and ($1::text[] is null or a.status = any($1)) and ($2::uuid is null or p.alert_id < $2)
    order by p.alert_id desc limit $3
"""
_ADD = """
    insert into alerts (id, conversation_id, patient_id, cause, message_id, message_sent_at, raised_at, correlation_id, level,
        therapist_ids, step, called, told, deadline, round, lap, revision, status, acknowledged_by, acknowledged_at,
        resolved_by, resolved_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
"""
_SAVE = """
    update alerts set level = $2, therapist_ids = $3, step = $4, called = $5, told = $6, deadline = $7, round = $8, lap = $9,
        revision = $10, status = $11, acknowledged_by = $12, acknowledged_at = $13, resolved_by = $14, resolved_at = $15,
        sealed_note = $16
    where id = $1
"""
# A change, who may see the alert after it, and the message that it is about: one round trip for all three.
_ADD_CHANGE = """
    with told as (
        insert into alert_people (alert_id, user_id, told_at) select $1, user_id, $4 from unnest($12::uuid[]) as user_id
        on conflict do nothing
    ), message as (
        insert into alert_messages (alert_id, message_id, cause, level, added_at)
        select $1, $5, $13::text, $14::text, $4 where $13::text is not null
        on conflict (tenant_id, alert_id, message_id) do update set level = excluded.level
    )
    insert into alert_changes (alert_id, revision, hop, at, message_id, user_id, level, step, round, called, deadline)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_REASON_FOR_MESSAGE = "select cause, level from alert_messages where alert_id = $1 and message_id = $2"
_SEALED_NOTE = "select sealed_note from alerts where id = $1"
_KEEP_PUSH = """
    update alert_people set pushed_at = coalesce(pushed_at, $3), seen_at = coalesce(seen_at, $4)
    where alert_id = $1 and user_id = $2
"""


class AlertRepository:
    """Reads and writes alerts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock_open(self, conversation_id: ConversationId) -> Alert | None:
        """The open alert of a conversation, locked; while there is none nobody else can open one either."""
        await self._connection.execute(_ONE_AT_A_TIME, str(conversation_id))
        row = await self._connection.fetchrow(_LOCK_OPEN, conversation_id)
        return _alert(row) if row else None

    async def claim_due(self, alert_id: UUID, now: datetime) -> Alert | None:
        """An alert whose deadline is over, locked; None when somebody has answered or is at it."""
        row = await self._connection.fetchrow(_CLAIM_DUE, alert_id, now)
        return _alert(row) if row else None

    async def get(self, alert_id: UUID, visible: VisibleAlerts) -> Alert:
        """An alert that the caller may see."""
        return await self._one(_VISIBLE, alert_id, visible)

    async def lock(self, alert_id: UUID, visible: VisibleAlerts) -> Alert:
        """The same, kept from others until the end of the transaction."""
        return await self._one(_LOCK_VISIBLE, alert_id, visible)

    async def list_visible(
        self, visible: VisibleAlerts, statuses: Sequence[AlertStatus], *, after: UUID | None, limit: int
    ) -> list[Alert]:
        """Alerts in one of these states, or in any if none is named; the newest first, from behind `after` on."""
        asked = list(statuses) or None, after, limit
        if visible.called is None:
            rows = await self._connection.fetch(_LIST_ALL, *asked)
        else:
            rows = await self._connection.fetch(_LIST_OF_CALLED, *asked, visible.called)
        return [_alert(row) for row in rows]

    async def add(self, alert: Alert, correlation_id: UUID) -> None:
        """Write a new alert."""
        origin = alert.conversation_id, alert.patient_id, alert.cause, alert.message_id, alert.message_sent_at, alert.raised_at
        await self._connection.execute(_ADD, alert.alert_id, *origin, correlation_id, *_state(alert))

    async def save(self, alert: Alert, *, sealed_note: bytes | None = None) -> None:
        """Write an alert that this transaction holds as it now is."""
        await self._connection.execute(_SAVE, alert.alert_id, *_state(alert), sealed_note)

    async def add_change(self, alert: Alert, change: Point, finding: Finding | None) -> None:
        """Write down a change as the timeline keeps it, who may see the alert after it, and the message that it is about."""
        what = change.hop, change.at, change.message_id, change.user_id, change.level, change.step, change.round
        whom = list(change.called), change.deadline, list(alert.told)
        found = (finding.cause, finding.level) if finding else (None, None)
        await self._connection.execute(_ADD_CHANGE, alert.alert_id, alert.revision, *what, *whom, *found)

    async def reason_for_message(self, alert_id: AlertId, message_id: MessageId) -> tuple[AlertCause, RiskLevel] | None:
        """Why a message came to an alert first, and its level there by now; None when it is no part of it."""
        row = await self._connection.fetchrow(_REASON_FOR_MESSAGE, alert_id, message_id)
        return (AlertCause(row["cause"]), RiskLevel(row["level"])) if row else None

    async def sealed_note(self, alert_id: AlertId) -> bytes | None:
        """The note that was left when the alert was resolved."""
        note: bytes | None = await self._connection.fetchval(_SEALED_NOTE, alert_id)
        return note

    async def keep_push(self, alert_id: UUID, user_id: UUID, *, pushed_at: datetime | None, seen_at: datetime | None) -> None:
        """Keep when an alert first reached a person's open pages."""
        await self._connection.execute(_KEEP_PUSH, alert_id, user_id, pushed_at, seen_at)

    async def _one(self, statement: str, alert_id: UUID, visible: VisibleAlerts) -> Alert:
        row = await self._connection.fetchrow(statement, alert_id, visible.called)
        if row is None:
            raise AlertNotFound
        return _alert(row)


def _state(alert: Alert) -> tuple[object, ...]:
    turn = alert.step, list(alert.called), list(alert.told), alert.deadline, alert.round, alert.lap
    people = alert.acknowledged_by, alert.acknowledged_at, alert.resolved_by, alert.resolved_at
    return alert.level, list(alert.therapists), *turn, alert.revision, alert.status, *people


def _alert(row: Record) -> Alert:
    return Alert(
        alert_id=AlertId(row["id"]),
        conversation_id=ConversationId(row["conversation_id"]),
        patient_id=PatientId(row["patient_id"]),
        cause=AlertCause(row["cause"]),
        message_id=MessageId(row["message_id"]),
        message_sent_at=row["message_sent_at"],
        raised_at=row["raised_at"],
        level=RiskLevel(row["level"]),
        therapists=_people(row["therapist_ids"]),
        step=ChainStep(row["step"]),
        called=_people(row["called"]),
        told=_people(row["told"]),
        deadline=row["deadline"],
        round=row["round"],
        lap=row["lap"],
        revision=row["revision"],
        status=AlertStatus(row["status"]),
        acknowledged_by=row["acknowledged_by"],
        acknowledged_at=row["acknowledged_at"],
        resolved_by=row["resolved_by"],
        resolved_at=row["resolved_at"],
    )


def _people(user_ids: Any) -> tuple[UserId, ...]:  # Any: an array column of the driver
    return tuple(UserId(user_id) for user_id in user_ids)
