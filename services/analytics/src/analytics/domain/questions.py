"""What can be asked about a metric: which steps, groups and times it knows, and how much is answered at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from analytics.domain.metric import Aggregate, Grouping, Metric
from analytics.domain.readers import ALL, Chosen
from analytics.domain.spans import Span, Window
from service_kit.errors import FieldError, Problem

MOST_POINTS = 5_000
"""Points of one answer, over all of its series: some 1 MB of JSON, drawn by a browser within a frame or two."""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class _Refused(Problem):
    """A question that has no answer; `errors` names the parameter."""

    status = 422
    slug, title = "question-refused", "The question has no answer"
    parameter = "metric"

    def __init__(self, detail: str = "") -> None:
        field = FieldError(("query", self.parameter), self.slug.replace("-", "_"), detail or self.title)
        super().__init__(detail, errors=[field])


class UnknownMetric(_Refused):
    """No metric has this name."""

    slug, title = "unknown-metric", "There is no such metric"


class StepNotMeasured(_Refused):
    """The metric has no windows of this kind."""

    slug, title = "step-not-measured", "The metric is not measured in such steps"
    parameter = "step"


class GroupNotMeasured(_Refused):
    """The metric is not split by these dimensions."""

    slug, title = "group-not-measured", "The metric is not measured by such groups"
    parameter = "group"


class RangeNotValid(_Refused):
    """The times do not make a range, or one beyond all calendars."""

    slug, title = "range-not-valid", "The range of times is not valid"
    parameter = "from"


class TooManyPoints(_Refused):
    """The answer would be longer than is answered at once."""

    slug, title = "too-many-points", "The range has too many windows for one answer"
    parameter = "step"


class NothingToAddUp(_Refused):
    """A running total of this metric means nothing, or would tell of groups that are too small."""

    slug, title = "nothing-to-add-up", "The metric has no running total"
    parameter = "cumulative"


PROBLEMS: tuple[type[Problem], ...] = (
    UnknownMetric,
    StepNotMeasured,
    GroupNotMeasured,
    RangeNotValid,
    TooManyPoints,
    NothingToAddUp,
)


@dataclass(frozen=True, slots=True)
class Question:
    """One metric over a range of windows for some groups. `previous` are as many windows just before, if they are asked for."""

    metric: Metric
    span: Span
    zone: ZoneInfo
    start: datetime
    end: datetime
    windows: tuple[Window, ...]
    previous: tuple[Window, ...] = ()
    chosen: Chosen = ALL
    is_cumulative: bool = False

    def check_size(self, series: int) -> None:
        """Raise TooManyPoints when so many series would make too long an answer."""
        points = series * (len(self.windows) + len(self.previous))
        if points > MOST_POINTS:
            raise TooManyPoints(f"{series} series have {points} points, at most {MOST_POINTS} are answered.")


def find_metric(metrics: Mapping[str, Metric], name: str) -> Metric:
    """The metric of that name, or UnknownMetric."""
    if name not in metrics:
        raise UnknownMetric("GET /api/analytics/metrics lists what is measured.")
    return metrics[name]


def find_span(metric: Metric, name: str) -> Span:
    """The metric's windows of that kind, or StepNotMeasured."""
    for span in metric.spans:
        if span.name == name:
            return span
    raise StepNotMeasured(f"{metric.name} has the steps {', '.join(each.name for each in metric.spans)}.")


def choose(metric: Metric, groupings: Sequence[Grouping], group: Sequence[str], only: Mapping[str, str] | None) -> Chosen:
    """The groups that are asked for, or GroupNotMeasured."""
    wanted: Grouping = tuple(group) or tuple(only or ())
    for grouping in groupings:
        if set(grouping) == set(wanted) and len(grouping) == len(wanted) and set(only or ()) <= set(grouping):
            return Chosen(grouping, only or None)
    groups = ", ".join("+".join(grouping) or "(all)" for grouping in groupings)
    raise GroupNotMeasured(f"{metric.name} has the groups {groups}.")


def ask(
    metric: Metric,
    span: Span,
    zone: ZoneInfo,
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    chosen: Chosen,
    compares: bool = False,
    is_cumulative: bool = False,
) -> Question:
    """The question, checked; windows that have not begun are left out. Raises the problems of this module."""
    if not EARLIEST <= start < end <= LATEST:
        raise RangeNotValid("The range begins before it ends, not before 2000 and not after 2100.")
    # Before they are counted one by one: a range of a century has 50 million minutes.
    if (end - start) // span.advance > MOST_POINTS:
        raise TooManyPoints(f"At most {MOST_POINTS} windows are answered: ask for longer steps or a shorter range.")
    if is_cumulative:
        _check_adds_up(metric, span)
    windows = tuple(span.windows_between(start, end, zone))
    begun = tuple(takewhile(lambda window: window.start <= now, windows))
    previous = _before(span, zone, windows, len(begun)) if compares else ()
    question = Question(metric, span, zone, start, end, begun, previous, chosen, is_cumulative)
    question.check_size(1)
    return question


def _before(span: Span, zone: ZoneInfo, windows: Sequence[Window], begun: int) -> tuple[Window, ...]:
    """As many windows before these as there are: of a period that still runs as far as it has come."""
    if not windows:
        return ()
    first = span.start_after(windows[0].start, -len(windows), zone)
    return tuple(span.windows_between(first, windows[0].start, zone))[:begun]


def _check_adds_up(metric: Metric, span: Span) -> None:
    if metric.aggregate not in {Aggregate.COUNT, Aggregate.SUM}:
        raise NothingToAddUp(f"{metric.name} is not a count or a sum.")
    if span.advance < span.length:
        raise NothingToAddUp(f"Windows of {span.name} overlap.")
    if metric.smallest_group > 1:
        raise NothingToAddUp(f"A running total of {metric.name} would tell of groups that are too small.")
