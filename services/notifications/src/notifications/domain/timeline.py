"""The timeline of an alert: every hop from the written message to the answer, rebuilt from what was stored when it happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bloom_events.alerts import (
    AlertAcknowledged,
    AlertEscalated,
    AlertEvent,
    AlertExtended,
    AlertHandedOver,
    AlertRaised,
    AlertResolved,
    ChainStep,
)
from bloom_events.ids import MessageId, UserId
from bloom_events.notifications import Channel
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import Alert
from notifications.domain.watch import WatchedMessage


class Hop(StrEnum):
    """What happened at a point of the timeline; what happened at the same moment stands in this order."""

    WRITTEN = "written"
    COMMITTED = "committed"
    READ_BY_SCORER = "read_by_scorer"
    SCORED = "scored"
    UNSCORED = "unscored"
    DELETED = "deleted"
    SCORE_WITHDRAWN = "score_withdrawn"
    RAISED = "raised"
    EXTENDED = "extended"
    ESCALATED = "escalated"
    PUSHED = "pushed"
    SEEN = "seen"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    HANDED_OVER = "handed_over"
    RESOLVED = "resolved"


_ORDER = tuple(Hop)


@dataclass(frozen=True, slots=True)
class Point:
    """One hop at its time. `user_id` is who did it or whom it reached, `called` who was called by it."""

    hop: Hop
    at: datetime
    message_id: MessageId | None = None
    user_id: UserId | None = None
    channel: Channel | None = None
    level: RiskLevel | None = None
    step: ChainStep | None = None
    round: int | None = None
    called: tuple[UserId, ...] = ()
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """A message that its author took back, and the scorer's word that its score counts no longer."""

    message_id: MessageId
    deleted_at: datetime | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of an alert at one person's open pages."""

    user_id: UserId
    pushed_at: datetime | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A provider took a message about the alert to one person."""

    user_id: UserId
    channel: Channel
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """All points in order of time; not `is_complete` when older messages of a long alert were left out."""

    points: tuple[Point, ...]
    is_complete: bool = True


def point_of(alert: Alert, event: AlertEvent) -> Point:
    """A transition as the timeline keeps it; `alert` is its state after that."""
    hop, at, user_id, message_id = _what(event)
    calls = hop in {Hop.RAISED, Hop.ESCALATED, Hop.HANDED_OVER}
    return Point(
        hop=hop,
        at=at,
        message_id=message_id,
        user_id=user_id,
        level=alert.level,
        step=alert.step,
        round=alert.round,
        called=alert.called if calls else (),
        deadline=alert.deadline,
    )


def _what(event: AlertEvent) -> tuple[Hop, datetime, UserId | None, MessageId | None]:
    match event:
        case AlertRaised():
            return Hop.RAISED, event.raised_at, None, event.message_id
        case AlertExtended():
            return Hop.EXTENDED, event.extended_at, None, event.message_id
        case AlertEscalated():
            return Hop.ESCALATED, event.escalated_at, None, None
        case AlertAcknowledged():
            return Hop.ACKNOWLEDGED, event.acknowledged_at, event.acknowledged_by, None
        case AlertHandedOver():
            return Hop.HANDED_OVER, event.handed_over_at, event.handed_over_by, None
        case AlertResolved():
            return Hop.RESOLVED, event.resolved_at, event.resolved_by, None
        case _:
            raise TypeError(f"no hop of an alert: {event.TYPE}")


def timeline(
    history: Sequence[Point],
    messages: Iterable[WatchedMessage],
    endings: Iterable[Ending],
    deliveries: Iterable[Delivery],
    sent: Iterable[Sent],
    *,
    is_complete: bool = True,
) -> Timeline:
    """Put everything that is known of an alert into the order in which it happened."""
    points = [*history, *_of_messages(messages), *_of_endings(endings), *_of_deliveries(deliveries)]
    points += [Point(Hop.SENT, each.sent_at, user_id=each.user_id, channel=each.channel) for each in sent]
    return Timeline(tuple(sorted(points, key=lambda point: (point.at, _ORDER.index(point.hop)))), is_complete)


def _of_messages(messages: Iterable[WatchedMessage]) -> Iterator[Point]:
    for each in messages:
        score = each.score
        times = {
            Hop.WRITTEN: each.written_at,
            Hop.COMMITTED: each.committed_at,
            Hop.READ_BY_SCORER: score.received_at if score else None,
            Hop.UNSCORED: each.unscored_at,
        }
        yield from (Point(hop, at, message_id=each.message_id) for hop, at in times.items() if at is not None)
        if score:
            yield Point(Hop.SCORED, score.scored_at, message_id=each.message_id, level=score.level)


def _of_endings(endings: Iterable[Ending]) -> Iterator[Point]:
    for each in endings:
        times = {Hop.DELETED: each.deleted_at, Hop.SCORE_WITHDRAWN: each.withdrawn_at}
        yield from (Point(hop, at, message_id=each.message_id) for hop, at in times.items() if at is not None)


def _of_deliveries(deliveries: Iterable[Delivery]) -> Iterator[Point]:
    for each in deliveries:
        times = {Hop.PUSHED: each.pushed_at, Hop.SEEN: each.seen_at}
        yield from (Point(hop, at, user_id=each.user_id) for hop, at in times.items() if at is not None)
