"""Metrics of risk scores. Small groups are suppressed: one message in an hour could be anybody's whom one knows."""

from __future__ import annotations

from typing import Any

from analytics.domain.metric import TENANT, Aggregate, Metric, Reading, Unit
from analytics.domain.spans import DAY, HOUR
from bloom_events.analytics import RiskMeasured
from bloom_events.auth import Role
from bloom_events.envelope import Envelope
from bloom_events.risk import RiskScored

SMALLEST_GROUP = 5


def _scored(envelope: Envelope[Any]) -> Reading | None:
    event = envelope.data
    if event.author_role is not Role.PATIENT:
        return None
    return Reading({"level": event.level.value, "label": event.label.value})


def _delay(envelope: Envelope[Any]) -> Reading:
    return Reading(value=max(0.0, (envelope.data.scored_at - envelope.data.message_sent_at).total_seconds()))


METRICS = (
    Metric(
        "risk.scored",
        "Patients' messages by the level and the label that the model gave them.",
        Aggregate.COUNT,
        Unit.EVENTS,
        {RiskScored: _scored},
        spans=(HOUR, DAY),
        publishes=RiskMeasured,
        groupings=(TENANT, ("level",), ("label",)),
        smallest_group=SMALLEST_GROUP,
    ),
    Metric(
        "risk.time-to-score",
        "From a message to its score.",
        Aggregate.PERCENTILES,
        Unit.SECONDS,
        {RiskScored: _delay},
        spans=(HOUR, DAY),
        publishes=RiskMeasured,
    ),
)
