"""Every metric: a module a subject, a definition a metric. A further one is written there and is known everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from analytics.domain.metric import Metric
from analytics.domain.metrics import alerts, appointments, messages, people, revenue, risk

METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for subject in (appointments, messages, risk, alerts, revenue, people) for metric in subject.METRICS}
)
