"""Everything that is stored about one alert, for its timeline."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record

from bloom_events.alerts import ChainStep
from bloom_events.ids import MessageId, UserId
from bloom_events.risk import RiskLevel
from notifications.domain.timeline import Delivery, Ending, Hop, Point
from notifications.domain.watch import WatchedMessage
from notifications.repository.watched_messages import message_of
from service_kit.database import Connection

# The message that raised the alert always, of the others the latest.
_MESSAGES = """
    select w.* from watched_messages w
    where w.message_id in (
        select m.message_id from alert_messages m join alerts a on a.tenant_id = m.tenant_id and a.id = m.alert_id
        where m.alert_id = $1 order by (m.message_id = a.message_id) desc, m.added_at desc, m.message_id limit $2)
"""
_ENDINGS = """
    select e.* from message_endings e
    where e.message_id in (select m.message_id from alert_messages m where m.alert_id = $1)
"""
_CHANGES = """
    select * from (select * from alert_changes where alert_id = $1 order by (revision = 1) desc, revision desc limit $2) latest
    order by revision
"""
_DELIVERIES = "select user_id, pushed_at, seen_at from alert_people where alert_id = $1"
_COUNTS = """
    select (select count(*) from alert_messages where alert_id = $1) as messages,
        (select count(*) from alert_changes where alert_id = $1) as changes
"""


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What is stored about an alert; not `is_complete` when there is more than was asked for."""

    history: list[Point]
    messages: list[WatchedMessage]
    endings: list[Ending]
    deliveries: list[Delivery]
    is_complete: bool


class TimelineRepository:
    """Reads what was stored about an alert within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def facts_of(self, alert_id: UUID, *, most: int) -> AlertFacts:
        """All that is known of an alert, with at most so many messages and so many changes: the first and the latest."""
        counts = await self._connection.fetchrow(_COUNTS, alert_id)
        return AlertFacts(
            history=[_point(row) for row in await self._connection.fetch(_CHANGES, alert_id, most)],
            messages=[message_of(row) for row in await self._connection.fetch(_MESSAGES, alert_id, most)],
            endings=[_ending(row) for row in await self._connection.fetch(_ENDINGS, alert_id)],
            deliveries=[_delivery(row) for row in await self._connection.fetch(_DELIVERIES, alert_id)],
            is_complete=counts is None or max(counts["messages"], counts["changes"]) <= most,
        )


def _point(row: Record) -> Point:
    return Point(
        hop=Hop(row["hop"]),
        at=row["at"],
        message_id=row["message_id"],
        user_id=row["user_id"],
        level=RiskLevel(row["level"]),
        step=ChainStep(row["step"]),
        round=row["round"],
        called=tuple(UserId(user_id) for user_id in row["called"]),
        deadline=row["deadline"],
    )


def _ending(row: Record) -> Ending:
    return Ending(MessageId(row["message_id"]), row["deleted_at"], row["withdrawn_at"])


def _delivery(row: Record) -> Delivery:
    return Delivery(UserId(row["user_id"]), row["pushed_at"], row["seen_at"])
