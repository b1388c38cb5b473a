"""Bodies of series: the catalogue of metrics, and points by window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Self

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from analytics.domain.metric import Aggregate, Metric, Unit
from analytics.domain.questions import Question
from analytics.schemas.fields import Response
from analytics.use_cases.points import Period, Point, Series, Summary
from bloom_events.analytics import Percentiles

_POINT: JsonDict = {
    "start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z", "count": 12, "total": None, "share": None,
    "percentiles": None, "cumulative": None, "revision": 4, "isFinal": True, "isSuppressed": False,
}  # fmt: skip
_METRIC: JsonDict = {
    "name": "appointments.booked", "says": "Appointments that were booked.", "aggregate": "count", "unit": "events",
    "steps": ["minute", "hour", "day"], "groups": [[], ["therapist_id"]], "smallestGroup": 1,
}  # fmt: skip


class MetricResponse(Response):
    """One metric."""

    model_config = ConfigDict(json_schema_extra={"examples": [_METRIC]})

    name: str
    says: str
    aggregate: Aggregate
    unit: Unit
    steps: list[str] = Field(description="The kinds of windows that it is measured in.")
    groups: list[list[str]] = Field(description="Dimensions by which it is split; an empty list stands for all together.")
    smallest_group: int = Field(description="Windows with less than this say only that they do.")

    @classmethod
    def of(cls, metric: Metric) -> Self:
        return cls(
            name=metric.name,
            says=metric.says,
            aggregate=metric.aggregate,
            unit=metric.unit,
            steps=[span.name for span in metric.spans],
            groups=[list(grouping) for grouping in metric.groupings],
            smallest_group=metric.smallest_group,
        )


class CatalogueResponse(Response):
    """Every metric."""

    items: list[MetricResponse]

    @classmethod
    def of(cls, metrics: Iterable[Metric]) -> Self:
        return cls(items=[MetricResponse.of(metric) for metric in metrics])


class PercentilesResponse(Response):
    """Each within 1 % of the exact one, in the metric's unit."""

    p50: float
    p90: float
    p95: float
    p99: float

    @classmethod
    def of(cls, percentiles: Percentiles) -> Self:
        return cls.model_validate(percentiles, from_attributes=True)


class PointResponse(Response):
    """One window, from its start until just before its end."""

    model_config = ConfigDict(json_schema_extra={"examples": [_POINT]})

    start: datetime
    end: datetime
    count: int | None = Field(description="Events, or different people; null when the group is too small to be told of.")
    total: int | None = Field(description="The sum of metrics that add something up; of shares those to which it applies.")
    share: float | None = Field(description="`total` of `count`, for metrics that are shares.")
    percentiles: PercentilesResponse | None = Field(description="Of metrics of durations.")
    cumulative: int | None = Field(description="Everything up to the end of the window, where that was asked for.")
    revision: int = Field(description="How often the window was published; 0 when nothing was published yet.")
    is_final: bool = Field(description="Whether the window has ended and nothing is expected for it any more.")
    is_suppressed: bool

    @classmethod
    def of(cls, point: Point) -> Self:
        said = point.told
        return cls(
            start=point.window.start,
            end=point.window.end,
            count=said.count,
            total=said.total,
            share=point.share,
            percentiles=PercentilesResponse.of(said.percentiles) if said.percentiles else None,
            cumulative=point.cumulative,
            revision=point.revision,
            is_final=point.is_final,
            is_suppressed=said.is_suppressed,
        )


class SummaryResponse(Response):
    """The period as a whole: the sum of what its windows tell."""

    count: int
    total: int | None
    share: float | None

    @classmethod
    def of(cls, summary: Summary) -> Self:
        return cls(count=summary.count, total=summary.total, share=summary.share)


class PeriodResponse(Response):
    """The windows of a period in order; `summary` is null where windows cannot be added up."""

    points: list[PointResponse]
    summary: SummaryResponse | None

    @classmethod
    def of(cls, period: Period) -> Self:
        points = [PointResponse.of(point) for point in period.points]
        return cls(points=points, summary=SummaryResponse.of(period.summary) if period.summary else None)


class GroupResponse(PeriodResponse):
    """One group, and as many windows just before where they were asked for."""

    dimensions: Mapping[str, str] = Field(description="The group; empty for all together.")
    previous: PeriodResponse | None
    change: float | None = Field(
        description="By which part the period is more or less than the one before: 0.25 is a quarter more."
    )

    @classmethod
    def of_series(cls, series: Series) -> Self:
        current = PeriodResponse.of(series.current)
        return cls(
            points=current.points,
            summary=current.summary,
            dimensions=series.dimensions,
            previous=PeriodResponse.of(series.previous) if series.previous else None,
            change=series.change,
        )


class SeriesResponse(Response):
    """A metric over a range of time."""

    metric: str
    aggregate: Aggregate
    unit: Unit
    step: str
    time_zone: str = Field(description="Whose midnights begin days.")
    as_of: datetime
    series: list[GroupResponse]

    @classmethod
    def of(cls, question: Question, series: Sequence[Series], *, now: datetime) -> Self:
        metric = question.metric
        return cls(
            metric=metric.name,
            aggregate=metric.aggregate,
            unit=metric.unit,
            step=question.span.name,
            time_zone=question.zone.key,
            as_of=now,
            series=[GroupResponse.of_series(each) for each in series],
        )
