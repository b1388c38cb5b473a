"""Metrics of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics.domain.metric import TENANT, Aggregate, Metric, Unit, each
from analytics.domain.spans import DAY, HOUR, MINUTE
from bloom_events.analytics import MessagesMeasured
from bloom_events.envelope import Envelope
from bloom_events.messaging import MessageSent


def _role(envelope: Envelope[Any]) -> Mapping[str, str]:
    return {"author_role": envelope.data.author_role.value}


METRICS = (
    Metric(
        "messages.sent",
        "Messages that were sent.",
        Aggregate.COUNT,
        Unit.EVENTS,
        each(MessageSent, by=_role),
        spans=(MINUTE, HOUR, DAY),
        publishes=MessagesMeasured,
        groupings=(TENANT, ("author_role",)),
    ),
)
