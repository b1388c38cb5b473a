"""Adding to windows: one statement a table for all that a fetch brings to a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from analytics.windows.deltas import Delta, WindowKey
from service_kit.database import Connection

_ADD_SERIES = """
    insert into series (metric, dimensions) select * from unnest($1::text[], $2::text[]) as r (metric, dimensions)
    order by metric, dimensions on conflict do nothing
"""
_FIND_SERIES = """
    select s.id, s.metric, s.dimensions from series s
    join unnest($1::text[], $2::text[]) as r (metric, dimensions) using (metric, dimensions)
"""
_ADD_WINDOWS = """
    insert into windows as w (series_id, span, starts_at, ends_at, n, total, changed_at)
    select * from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::bigint[],
        $7::timestamptz[]) as r (series_id, span, starts_at, ends_at, n, total, changed_at)
    order by series_id, span, starts_at
    on conflict (tenant_id, series_id, span, starts_at) do update
        set n = w.n + excluded.n, total = w.total + excluded.total, changed_at = coalesce(w.changed_at, excluded.changed_at)
"""
_ADD_BUCKETS = """
    insert into window_buckets as b (series_id, span, starts_at, bucket, n)
    select * from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::int[], $5::bigint[])
    on conflict (tenant_id, series_id, span, starts_at, bucket) do update set n = b.n + excluded.n
"""
# The count of a distinct window is the number of its members: only those that were not there add to it.
_ADD_MEMBERS = """
    with added as (
        insert into window_members (series_id, span, starts_at, member)
        select * from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bytea[])
        on conflict do nothing returning series_id, span, starts_at),
    counted as (select series_id, span, starts_at, count(*) as n from added group by series_id, span, starts_at)
    update windows w set n = w.n + c.n, changed_at = coalesce(w.changed_at, $5)
    from counted c where w.series_id = c.series_id and w.span = c.span and w.starts_at = c.starts_at
"""

SeriesKey: TypeAlias = tuple[str, str]
"""Metric and dimensions."""


class _Row(NamedTuple):
    series_id: int
    span: str
    start: datetime


class DeltaRepository:
    """Adds to the windows of one tenant within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def series_ids(self, wanted: Sequence[SeriesKey]) -> dict[SeriesKey, int]:
        """The numbers of these series, made for those that have none."""
        metrics, dimensions = [key[0] for key in wanted], [key[1] for key in wanted]
        await self._connection.execute(_ADD_SERIES, metrics, dimensions)
        rows = await self._connection.fetch(_FIND_SERIES, metrics, dimensions)
        return {(row["metric"], row["dimensions"]): row["id"] for row in rows}

    async def add(self, deltas: Mapping[WindowKey, Delta], series_ids: Mapping[SeriesKey, int], now: datetime) -> None:
        """Add all; rows are locked in the order of their keys, so that two workers wait for each other and never both."""
        rows = sorted(
            ((_Row(series_ids[key.metric, key.dimensions], key.span, key.start), delta) for key, delta in deltas.items()),
            key=lambda row: row[0],
        )
        await self._add_windows(rows, now)
        if buckets := [(*row, bucket, n) for row, delta in rows for bucket, n in sorted(delta.buckets.items())]:
            await self._connection.execute(_ADD_BUCKETS, *zip(*buckets, strict=True))
        if members := [(*row, member) for row, delta in rows for member in sorted(delta.members)]:
            await self._connection.execute(_ADD_MEMBERS, *zip(*members, strict=True), now)

    async def _add_windows(self, rows: Sequence[tuple[_Row, Delta]], now: datetime) -> None:
        # Members that are all there already change nothing that has to be told.
        values = [(*row, delta.end, delta.n, delta.total, None if delta.members else now) for row, delta in rows]
        await self._connection.execute(_ADD_WINDOWS, *zip(*values, strict=True))
