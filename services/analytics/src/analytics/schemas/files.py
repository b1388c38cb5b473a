"""Series as files: CSV after RFC 4180 that no spreadsheet takes for a program, and Parquet with real types."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from arro3.core import Field, Schema

from analytics.clients.parquet_columns import FLAG, INTEGER, NUMBER, SMALL_INTEGER, TEXT, TIME, table_of, written
from analytics.domain.questions import Question
from analytics.use_cases.points import Point, Series

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"

# A cell that begins like this is a formula to spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BEFORE_DIMENSIONS = ("metric", "step", "period")
_NUMBERS = (
    "window_start", "window_end", "count", "total", "share", "p50", "p90", "p95", "p99", "cumulative", "revision", "is_final",
    "is_suppressed",
)  # fmt: skip
# What is not listed is text.
_TYPES = {
    **dict.fromkeys(("window_start", "window_end"), TIME),
    **dict.fromkeys(("count", "total", "cumulative"), INTEGER),
    **dict.fromkeys(("share", "p50", "p90", "p95", "p99"), NUMBER),
    **dict.fromkeys(("is_final", "is_suppressed"), FLAG),
    "revision": SMALL_INTEGER,
}

Row = dict[str, Any]


def columns_of(question: Question) -> list[str]:
    """The names of the columns, the same in every format; each dimension of the groups has one."""
    return [*_BEFORE_DIMENSIONS, *question.chosen.group, *_NUMBERS]


def rows_of(question: Question, series: Sequence[Series]) -> Iterator[Row]:
    """A row for every window of every series; `period` tells the one that was asked for from the one before."""
    for each in series:
        for period, name in ((each.current, "current"), (each.previous, "previous")):
            for point in period.points if period else ():
                yield _row(question, each.dimensions, name, point)


def as_csv(question: Question, series: Sequence[Series]) -> bytes:
    """The rows with a header; times as ISO 8601 in UTC, nothing for what is not told."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns_of(question), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows_of(question, series))
    return text.getvalue().encode()


def as_parquet(question: Question, series: Sequence[Series]) -> bytes:
    """The rows with their types; times are microseconds in UTC."""
    rows = list(rows_of(question, series))
    schema = Schema([Field(name, _TYPES.get(name, TEXT)) for name in columns_of(question)])
    return written(table_of({name: [row[name] for row in rows] for name in schema.names}, schema))


def _row(question: Question, dimensions: Mapping[str, str], period: str, point: Point) -> Row:
    said = point.told
    percentiles = said.percentiles.model_dump() if said.percentiles else dict.fromkeys(("p50", "p90", "p95", "p99"))
    return {
        "metric": question.metric.name, "step": question.span.name, "period": period, **dimensions,
        "window_start": point.window.start, "window_end": point.window.end, "count": said.count, "total": said.total,
        "share": point.share, **percentiles, "cumulative": point.cumulative, "revision": point.revision,
        "is_final": point.is_final, "is_suppressed": said.is_suppressed,
    }  # fmt: skip


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
