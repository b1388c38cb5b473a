"""What is measured of alerts, and the line that is logged for each change: levels and ids, never what anybody wrote."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bloom_events.alerts import AlertAcknowledged, AlertEscalated, AlertRaised
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import AlertStatus, Change
from service_kit.logs import get_logger
from service_kit.metrics import counter, gauge, histogram

_log = get_logger(__name__)

_TO_RAISED = (0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_TO_ACKNOWLEDGED = (5, 15, 30, 60, 120, 300, 600, 1200, 3600, 4 * 3600, 24 * 3600)
_LEVELS = (RiskLevel.MODERATE, RiskLevel.HIGH, RiskLevel.CRITICAL)
_LATE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60)

OPEN = gauge("alerts_open", "Open alerts, by level and state.", "level", "status")
UNANSWERED = gauge("alerts_unanswered", "Open alerts that the whole chain was called to and nobody answered, by level.", "level")
CHANGES = counter("alert_changes", "Changes of alerts, by event type and level.", "type", "level")
UNSCORED = counter("messages_unscored", "Messages that had no score within their deadline.")
RAISED_SECONDS = histogram("alert_raised_seconds", "From a message to its alert.", "cause", buckets=_TO_RAISED)
ACKNOWLEDGED_SECONDS = histogram("alert_acknowledged_seconds", "From an alert to an answer.", "level", buckets=_TO_ACKNOWLEDGED)
LATE_SECONDS = histogram("alert_escalation_late_seconds", "From an alert's deadline to its escalation.", buckets=_LATE)


def note(change: Change) -> None:
    """Count a change that is committed, time it, and log it; a call that reached nobody is an error that someone must mend."""
    alert, event = change.alert, change.event
    CHANGES.labels(event.TYPE, alert.level).inc()
    if isinstance(event, AlertRaised):
        RAISED_SECONDS.labels(event.cause).observe(_seconds(event.raised_at - event.message_sent_at))
    if isinstance(event, AlertAcknowledged):
        ACKNOWLEDGED_SECONDS.labels(alert.level).observe(_seconds(event.acknowledged_at - alert.raised_at))
    ids = {"alert_id": str(alert.alert_id), "conversation_id": str(alert.conversation_id), "revision": alert.revision}
    _log.info(event.TYPE, **ids, risk_level=alert.level, status=alert.status, step=alert.step, round=alert.round)
    if isinstance(event, AlertRaised | AlertEscalated) and not event.called:
        _log.error("alert.nobody_to_call", **ids)


def note_lateness(deadline: datetime, now: datetime) -> None:
    """Time an escalation against its deadline."""
    LATE_SECONDS.observe(_seconds(now - deadline))


def show_open(counts: Mapping[tuple[str, str], int]) -> None:
    """Show how many alerts are open; what is in no row is none."""
    for level in _LEVELS:
        for status in (AlertStatus.CALLING, AlertStatus.ACKNOWLEDGED):
            OPEN.labels(level, status).set(counts.get((level, status), 0))


def show_unanswered(counts: Mapping[str, int]) -> None:
    """Show how many alerts nobody in the whole chain has answered; a level in no row has none."""
    for level in _LEVELS:
        UNANSWERED.labels(level).set(counts.get(level, 0))


def _seconds(duration: timedelta) -> float:
    return max(0.0, duration.total_seconds())
