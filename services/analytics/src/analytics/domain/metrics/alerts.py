"""Metrics of alerts."""

from __future__ import annotations

from analytics.domain.metric import TENANT, Aggregate, Happening, Metric, Reading, Unit, each, once
from analytics.domain.spans import DAY, HOUR
from bloom_events.alerts import AlertAcknowledged, AlertEscalated, AlertRaised, AlertResolved
from bloom_events.analytics import AlertsMeasured


def _waited(happening: Happening) -> Reading | None:
    event = happening.data
    if event.message_sent_at is None:
        return None
    return Reading(value=max(0.0, (event.acknowledged_at - event.message_sent_at).total_seconds()))


METRICS = (
    Metric(
        "alerts.raised",
        "Alerts that were raised.",
        Aggregate.COUNT,
        Unit.EVENTS,
        each(AlertRaised),
        spans=(HOUR, DAY),
        publishes=AlertsMeasured,
        groupings=(TENANT, ("level",)),
    ),
    Metric(
        "alerts.escalated",
        "Calls that nobody answered in time.",
        Aggregate.COUNT,
        Unit.EVENTS,
        each(AlertEscalated),
        spans=(HOUR, DAY),
        publishes=AlertsMeasured,
        groupings=(TENANT, ("level",)),
    ),
    Metric(
        "alerts.open",
        "By how much the number of open alerts changed; its running total is how many are open.",
        Aggregate.SUM,
        Unit.EVENTS,
        {AlertRaised: once, AlertResolved: lambda _: Reading(amount=-1)},
        spans=(HOUR, DAY),
        publishes=AlertsMeasured,
    ),
    Metric(
        "alerts.time-to-acknowledge",
        "From the message that raised an alert until somebody answered.",
        Aggregate.PERCENTILES,
        Unit.SECONDS,
        {AlertAcknowledged: _waited},
        spans=(HOUR, DAY),
        publishes=AlertsMeasured,
    ),
)
