"""Events of analytics: results of windows over the other topics. Groups of people only, never a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bloom_events.event import Event, PlainText, Revision, UtcTime
from bloom_events.ids import WindowId
from bloom_events.topics import (
    ALERT_RESULTS,
    APPOINTMENT_RESULTS,
    MESSAGE_RESULTS,
    PEOPLE_RESULTS,
    REVENUE_RESULTS,
    RISK_RESULTS,
    Topic,
)

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""How many."""

Total = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)]
"""A sum of whole units, which may be below nothing: outstanding amounts fall when they are paid."""

MetricName = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z]+(\.[a-z]+(-[a-z]+)*)+$")]
"""Such as `appointments.booked`."""

DimensionName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z][a-z_]*$")]
"""Such as `therapist_id`."""


class Percentiles(BaseModel):
    """Of the values of a window, each within 1 % of the exact one; in the metric's unit."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    p50: float
    """Half of the values are not above it."""
    p90: float
    """Nine of ten."""
    p95: float
    """Nineteen of twenty."""
    p99: float
    """Ninety-nine of a hundred."""


class WindowResult(Event):
    """What a metric comes to in one window for one group, as far as was known; a later revision takes its place.

    While the window is open there may be a revision whenever it has changed, then one that is final. An event that comes later
    still makes a further revision, which is final again. Of each window the topic keeps the newest revision.
    """

    KEY: ClassVar[str] = "window_id"

    window_id: WindowId
    """The same for every revision: made from tenant, metric, dimensions, span and start."""
    metric: MetricName
    """What was measured; `docs/analytics.md` lists the metrics."""
    dimensions: Annotated[Mapping[DimensionName, PlainText], Field(max_length=4)]
    """The group within the tenant, such as `{"therapist_id": ".."}`; empty for all of it."""
    span: Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9-]+$")]
    """The kind of window, such as `minute`, `hour`, `day` or `week-by-day`."""
    window_start: UtcTime
    """The first moment of the window."""
    window_end: UtcTime
    """The first moment after it."""
    time_zone: PlainText
    """The zone whose midnights begin days; others than days do not depend on it."""
    revision: Revision
    """Counts what was published about this window from 1."""
    is_final: bool
    """Whether the watermark and the allowed lateness have passed the end of the window."""
    watermark: UtcTime
    """Up to here everything was read that was in time."""
    count: Count | None
    """How many events were counted, or how many different people; none when suppressed."""
    total: Total | None = None
    """The sum, of metrics that add something up: minor units, net changes, or those of `count` to which a share applies."""
    percentiles: Percentiles | None = None
    """Of metrics of durations; none when nothing was measured."""
    is_suppressed: bool = False
    """Whether the group is too small to be told of."""


class AppointmentsMeasured(WindowResult):
    """A window over appointments."""

    TYPE: ClassVar[str] = "appointments.measured.v1"
    TOPIC: ClassVar[Topic] = APPOINTMENT_RESULTS


class MessagesMeasured(WindowResult):
    """A window over messages."""

    TYPE: ClassVar[str] = "messages.measured.v1"
    TOPIC: ClassVar[Topic] = MESSAGE_RESULTS


class RiskMeasured(WindowResult):
    """A window over risk scores."""

    TYPE: ClassVar[str] = "risk.measured.v1"
    TOPIC: ClassVar[Topic] = RISK_RESULTS


class AlertsMeasured(WindowResult):
    """A window over alerts."""

    TYPE: ClassVar[str] = "alerts.measured.v1"
    TOPIC: ClassVar[Topic] = ALERT_RESULTS


class RevenueMeasured(WindowResult):
    """A window over invoices."""

    TYPE: ClassVar[str] = "revenue.measured.v1"
    TOPIC: ClassVar[Topic] = REVENUE_RESULTS


class PeopleMeasured(WindowResult):
    """A window over accounts and sessions."""

    TYPE: ClassVar[str] = "people.measured.v1"
    TOPIC: ClassVar[Topic] = PEOPLE_RESULTS


EVENTS: tuple[type[Event], ...] = (
    AppointmentsMeasured,
    MessagesMeasured,
    RiskMeasured,
    AlertsMeasured,
    RevenueMeasured,
    PeopleMeasured,
)
