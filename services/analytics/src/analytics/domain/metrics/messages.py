"""Metrics of messages."""

from __future__ import annotations

from analytics.domain.metric import TENANT, Aggregate, Metric, Unit, each
from analytics.domain.spans import DAY, HOUR, MINUTE
from bloom_events.analytics import MessagesMeasured
from bloom_events.messaging import MessageSent

METRICS = (
    Metric(
        "messages.sent",
        "Messages that were sent.",
        Aggregate.COUNT,
        Unit.EVENTS,
        each(MessageSent),
        spans=(MINUTE, HOUR, DAY),
        publishes=MessagesMeasured,
        groupings=(TENANT, ("author_role",)),
    ),
)
