"""Service level objectives: what share must be good over thirty days, and alerts on how fast the rest is used up.

An objective burns fast when an hour, and the last five minutes of it, use up two percent of thirty days' budget, or six hours
five percent; slowly when a day or three days use up a tenth. The short window beside each long one ends the alert soon after
the trouble has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.alerting.answers import ASKED
from tools.alerting.rules import Alert, Group, Recording, Severity, Story

RATIO = "bloom:slo_errors:ratio_rate"
BUDGET = "bloom:slo_budget:ratio"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
BOARD = "bloom-slo"

# Long window, short window, and how many times faster than evenly the budget may burn.
_FAST = (("1h", "5m", 14.4), ("6h", "30m", 6))
_SLOW = (("1d", "2h", 3), ("3d", "6h", 1))


Segments = Sequence[tuple[int, float]]
"""Minutes, and how many times faster than evenly the budget burns in them."""

# So many a minute that half a budget of 0.1 % is still a whole number.
_A_MINUTE = 10_000


@dataclass(frozen=True, slots=True)
class Objective:
    """What share of `total` may be `bad`: two expressions of rates in which `%s` is the window, over the same labels.

    `series` makes samples of a time that goes as told; `labels` are those that both sides of the ratio keep.
    """

    slug: str
    name: str
    promise: str
    target: float
    bad: str
    total: str
    labels: Mapping[str, str]
    series: Callable[[Segments, float], Mapping[str, str]]

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.target, 6)

    def story(self, at: str, *segments: tuple[int, float], fires: bool) -> Story:
        """Samples of a time that goes as told, and whether its alert is seen at a moment of it."""
        labels = ({"slo": self.slug, **self.labels},) if fires else ()
        return Story(self.series(segments, self.budget), at, labels)


def _within(name: str, le: str, where: str, by: str = "") -> tuple[str, str]:
    """Bad and total of a histogram of which all up to `le` is good."""
    summed = f"sum by ({by}) " if by else "sum"
    total = f"{summed}(rate({name}_count{{{where}}}[%s]))"
    return f'({total} - {summed}(rate({name}_bucket{{{where},le="{le}"}}[%s])))', total


def _grown(segments: Segments, per_minute: Callable[[float], float]) -> str:
    """A counter through all segments, in promtool's notation."""
    value, parts = 0, []
    for minutes, burning in segments:
        step = round(per_minute(burning))
        parts.append(f"{value}+{step}x{minutes - 1}")
        value += step * minutes
    return " ".join(parts)


def _timed(name: str, labels: str, le: str) -> Callable[[Segments, float], Mapping[str, str]]:
    """A histogram of which all up to `le` is good."""
    return lambda segments, budget: {
        f"{name}_count{{{labels}}}": _grown(segments, lambda _: _A_MINUTE),
        f'{name}_bucket{{{labels},le="{le}"}}': _grown(segments, lambda burning: _A_MINUTE * (1 - burning * budget)),
    }


def _split(good: str, bad: str) -> Callable[[Segments, float], Mapping[str, str]]:
    """Two counters, one of what is good and one of what is bad."""
    return lambda segments, budget: {
        good: _grown(segments, lambda burning: _A_MINUTE * (1 - burning * budget)),
        bad: _grown(segments, lambda burning: _A_MINUTE * burning * budget),
    }


_REQUESTS = "bloom_http_requests_total"
_API = 'service="auth",process="api",instance="a",method="GET",route="/api/x"'
_SCORING = 'service="ml-scoring",process="worker",instance="a"'
_CALLING = 'service="notifications",process="worker",instance="a"'
_BILLING = 'service="billing",process="worker",instance="a",consumer="billing",type="appointment.completed.v1"'

OBJECTIVES = (
    Objective(
        "api-availability",
        "ApiAvailability",
        "of the requests to each service are answered without a server error",
        0.999,
        f'(sum by (service) (rate({_REQUESTS}{{{ASKED},status=~"5.."}}[%s]))'
        f" or 0 * sum by (service) (rate({_REQUESTS}{{{ASKED}}}[%s])))",
        f"sum by (service) (rate({_REQUESTS}{{{ASKED}}}[%s]))",
        {"service": "auth"},
        _split(f'{_REQUESTS}{{{_API},status="200"}}', f'{_REQUESTS}{{{_API},status="500"}}'),
    ),
    Objective(
        "api-latency",
        "ApiLatency",
        "of the requests to each service are answered within half a second",
        0.99,
        *_within("bloom_http_request_seconds", "0.5", 'route!~"/health/.*|/metrics|.*/stream"', "service"),
        {"service": "auth"},
        _timed("bloom_http_request_seconds", _API, "0.5"),
    ),
    Objective(
        "messages-scored",
        "MessagesScored",
        "of the messages have a score within their deadline",
        0.999,
        "sum(rate(bloom_messages_unscored_total[%s]))",
        "(sum(rate(bloom_scoring_age_seconds_count[%s])) + sum(rate(bloom_messages_unscored_total[%s])))",
        {},
        _split(f"bloom_scoring_age_seconds_count{{{_SCORING}}}", f"bloom_messages_unscored_total{{{_CALLING}}}"),
    ),
    Objective(
        "alerts-in-time",
        "AlertsInTime",
        "of the alerts are raised within a second of their message",
        0.99,
        *_within("bloom_alert_raised_seconds", "1", 'cause="risk"'),
        {},
        _timed("bloom_alert_raised_seconds", f'{_CALLING},cause="risk"', "1"),
    ),
    Objective(
        "invoices-in-time",
        "InvoicesInTime",
        "of the events of visits are billed within ten seconds",
        0.99,
        *_within("bloom_event_age_seconds", "10", 'consumer="billing"'),
        {},
        _timed("bloom_event_age_seconds", _BILLING, "10"),
    ),
)


def _recordings(objective: Objective) -> Iterator[Recording]:
    labels = {"slo": objective.slug}
    yield Recording(BUDGET, f"vector({objective.budget:g})", labels)
    for window in WINDOWS:
        ratio = f"{objective.bad} / ({objective.total} > 0)".replace("%s", window)
        yield Recording(f"{RATIO}{window}", ratio, labels)


def _burns(objective: Objective, windows: tuple[tuple[str, str, float], ...]) -> str:
    def over(window: str, factor: float) -> str:
        return f'{RATIO}{window}{{slo="{objective.slug}"}} > {factor * objective.budget:g}'

    return " or ".join(f"({over(long, factor)} and {over(short, factor)})" for long, short, factor in windows)


def _alerts(objective: Objective) -> Iterator[Alert]:
    share = f"The promise that {objective.target * 100:g} % {objective.promise} is being broken"
    whose = " by {{ $labels.service }}" if objective.labels else ""
    burns = f"{objective.name}Burns"
    yield Alert(
        burns,
        f"{share} fast{whose}: two percent of a month's budget within an hour.",
        _burns(objective, _FAST),
        "2m",
        Severity.PAGE,
        BOARD,
        fires=objective.story("20m", (30, 40), fires=True),
        quiet=objective.story("68m", (30, 40), (40, 0), fires=False),
    )
    yield Alert(
        f"{objective.name}Erodes",
        f"{share}{whose}: a tenth of a month's budget within a day.",
        _burns(objective, _SLOW),
        "15m",
        Severity.TICKET,
        BOARD,
        fires=objective.story("30m", (40, 4), fires=True),
        quiet=objective.story("30m", (40, 0.5), fires=False),
        page=burns,
    )


def _rules() -> Iterator[Alert | Recording]:
    for objective in OBJECTIVES:
        yield from _recordings(objective)
        yield from _alerts(objective)


OBJECTIVES_GROUP = Group(
    "objectives",
    "Service level objectives: the share that is bad over several windows, and how fast the budget of a month burns.",
    tuple(_rules()),
)
