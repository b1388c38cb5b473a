"""Metrics of risk scores. Small groups are suppressed: one message in an hour could be anybody's whom one knows."""

from __future__ import annotations

from analytics.domain.metric import ONCE, TENANT, Aggregate, Happening, Metric, Reading, Unit
from analytics.domain.spans import DAY, HOUR
from bloom_events.analytics import RiskMeasured
from bloom_events.auth import Role
from bloom_events.risk import RiskScored

SMALLEST_GROUP = 5


def _scored(happening: Happening) -> Reading | None:
    return ONCE if happening.data.author_role == Role.PATIENT else None


def _delay(happening: Happening) -> Reading:
    return Reading(value=max(0.0, (happening.data.scored_at - happening.data.message_sent_at).total_seconds()))


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
