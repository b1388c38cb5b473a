"""Metrics of accounts and sessions."""

from __future__ import annotations

from analytics.domain.metric import TENANT, Aggregate, Metric, Reading, Unit, each
from analytics.domain.spans import DAY, HOUR, WEEK_BY_DAY
from bloom_events.analytics import PeopleMeasured
from bloom_events.auth import SessionStarted, UserRegistered
from bloom_events.messaging import MessageSent

METRICS = (
    Metric(
        "people.signed-up",
        "Accounts that were made.",
        Aggregate.COUNT,
        Unit.EVENTS,
        each(UserRegistered),
        spans=(HOUR, DAY),
        publishes=PeopleMeasured,
        groupings=(TENANT, ("role",)),
    ),
    Metric(
        "people.signed-in",
        "Sessions that were begun.",
        Aggregate.COUNT,
        Unit.EVENTS,
        each(SessionStarted),
        spans=(HOUR, DAY),
        publishes=PeopleMeasured,
        groupings=(TENANT, ("role",)),
    ),
    Metric(
        "people.active",
        "Different people who signed in or wrote a message.",
        Aggregate.DISTINCT,
        Unit.PEOPLE,
        {
            SessionStarted: lambda happening: Reading(member=happening.data.user_id),
            MessageSent: lambda happening: Reading(member=happening.data.author_id),
        },
        spans=(HOUR, DAY, WEEK_BY_DAY),
        publishes=PeopleMeasured,
    ),
)
