"""What a panel is: what it shows, when to worry, in which unit, and the queries behind it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """In what a panel measures, by Grafana's own names."""

    NUMBER = "short"
    PER_SECOND = "cps"
    SHARE = "percentunit"
    PERCENT = "percent"
    SECONDS = "s"
    BYTES = "bytes"


class Kind(StrEnum):
    """How a panel is drawn."""

    LINES = "lines"
    BARS = "bars"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class FromPrometheus:
    """A PromQL expression, and the legend of its series, such as `{{service}}`."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class FromAnalytics:
    """One SQL statement over `dashboards.results`: columns `time`, `series` (which is the legend) and `value`."""

    statement: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. From `bad_from` on (or, where less is worse, below `bad_below`) what it shows is red."""

    title: str
    shows: str
    worry: str
    unit: Unit
    queries: tuple[FromPrometheus | FromAnalytics, ...]
    kind: Kind = Kind.LINES
    width: int = 8
    bad_from: float | None = None
    bad_below: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that belong together, under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: `uid` is its address in Grafana and its file's name, for good."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]
    since: str = "now-6h"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels in their order."""
        return tuple(panel for row in self.rows for panel in row.panels)


def lines(expression: str, legend: str) -> tuple[FromPrometheus]:
    """The queries of a panel that has one expression."""
    return (FromPrometheus(expression, legend),)


def quantiles(metric: str, by: str, *shares: float, where: str = "") -> tuple[FromPrometheus, ...]:
    """Percentiles of one of the code's histograms, split by a label."""
    bucket = f"sum by (le, {by}) (rate({metric}_bucket{where}[$__rate_interval]))"
    return tuple(
        FromPrometheus(f"histogram_quantile({share}, {bucket})", f"{{{{{by}}}}} p{round(share * 100)}") for share in shares
    )


def counted(metric: str, span: str, series: str = "metric", column: str = "count", where: str = "") -> FromAnalytics:
    """One metric of analytics over the windows of a span, split by what `series` says."""
    # Every part is a word of this program, and the tenant is quoted by Grafana.
    return FromAnalytics(
        f"select starts_at as time, {series} as series, {column} as value from dashboards.results\n"  # noqa: S608
        f"where tenant_id = ${{tenant:sqlstring}}::uuid and metric = '{metric}' and span = '{span}'\n"
        f"  and {where or TENANT_AS_A_WHOLE} and $__timeFilter(starts_at)\n"
        "order by starts_at"
    )


TENANT_AS_A_WHOLE = "dimensions = '{}'"


def split_by(dimension: str) -> dict[str, str]:
    """What to give to `counted` for a series a value of a dimension, and one of all, which the platform as a whole has alone."""
    return {
        "series": f"coalesce(dimensions ->> '{dimension}', 'all')",
        "where": f"({TENANT_AS_A_WHOLE} or dimensions ? '{dimension}')",
    }
