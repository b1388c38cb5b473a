"""What answers are made of: gaps filled with zeros, small groups left out, running totals, a period beside the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analytics.domain.metric import Aggregate, Metric
from analytics.domain.spans import Window
from analytics.windows.contents import Contents, Told, told

_NOTHING = Contents()


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of one window, corrections that came after its end included."""

    window: Window
    contents: Contents = _NOTHING
    revision: int = 0
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """What is told of a window; revision 0 means that nothing was published about it yet."""

    window: Window
    told: Told
    share: float | None = None
    cumulative: int | None = None
    revision: int = 0
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole period: the sum of what its windows tell."""

    count: int
    total: int | None
    share: float | None


@dataclass(frozen=True, slots=True)
class Period:
    """The points of one group over a range, and what they come to where windows can be added up."""

    points: Sequence[Point]
    summary: Summary | None


@dataclass(frozen=True, slots=True)
class Series:
    """One group with the period that was asked for, and the one before where that was asked for too."""

    dimensions: Mapping[str, str]
    current: Period
    previous: Period | None = None
    change: float | None = None


def point_of(metric: Metric, tally: Tally) -> Point:
    """What may be told of a window; nothing of a group that is too small, not even whether anybody is in it."""
    is_empty = tally.contents.n == 0 and metric.smallest_group == 1
    said = _nothing(metric) if is_empty else told(metric, tally.contents)
    share = _share(metric, said.count or 0, said.total or 0)
    return Point(tally.window, said, share, revision=tally.revision, is_final=tally.is_final)


def filled(metric: Metric, windows: Iterable[Window], tallies: Mapping[Window, Tally]) -> list[Point]:
    """A point for every window in order; one in which nothing happened counts nothing."""
    return [point_of(metric, tallies.get(window) or Tally(window)) for window in windows]


def running(metric: Metric, points: Iterable[Point], before: int) -> list[Point]:
    """The same points, each with the total of everything up to its end; `before` is that of the time before the first."""
    result = []
    for point in points:
        before += (point.told.total if metric.aggregate is Aggregate.SUM else point.told.count) or 0
        result.append(replace(point, cumulative=before))
    return result


def period_of(metric: Metric, points: Sequence[Point], *, overlap: bool) -> Period:
    """The points with their sum, which there is none of for different people and for windows that overlap."""
    if metric.aggregate is Aggregate.DISTINCT or overlap:
        return Period(points, None)
    count = sum(point.told.count or 0 for point in points)
    has_total = metric.aggregate in {Aggregate.SUM, Aggregate.SHARE}
    total = sum(point.told.total or 0 for point in points) if has_total else None
    return Period(points, Summary(count, total, _share(metric, count, total or 0)))


def change_of(metric: Metric, current: Period, previous: Period) -> float | None:
    """By which part of the period before the newer one is more or less; None when there is nothing to compare with."""
    if current.summary is None or previous.summary is None:
        return None
    now, before = (_main_figure(metric, each) for each in (current.summary, previous.summary))
    return (now - before) / abs(before) if before else None


def _nothing(metric: Metric) -> Told:
    """What is said of a window without events where no group is too small."""
    return Told(0, 0 if metric.aggregate in {Aggregate.SUM, Aggregate.SHARE} else None)


def _main_figure(metric: Metric, summary: Summary) -> float:
    by_aggregate = {Aggregate.SUM: summary.total, Aggregate.SHARE: summary.share}
    return by_aggregate.get(metric.aggregate, summary.count) or 0


def _share(metric: Metric, count: int, total: int) -> float | None:
    return total / count if metric.aggregate is Aggregate.SHARE and count else None
