"""Windows by when they were told: what somebody who follows them has not seen yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from asyncpg import Record

from analytics.domain.spans import Window
from analytics.windows.contents import Contents
from service_kit.database import Connection

# Transactions from here on were not all finished: what they tell shows later.
_POSITION = "select pg_snapshot_xmin(pg_current_snapshot())::text"
_TOLD = """
    select s.metric, s.dimensions, told.*
    from (select series_id, span, starts_at, ends_at, n, total, revision, is_final, told_in::text,
                 (select jsonb_object_agg(b.bucket::text, b.n) from window_buckets b
                  where b.series_id = w.series_id and b.span = w.span and b.starts_at = w.starts_at) as buckets
          from windows w where told_in >= $1::text::xid8
          union all
          select series_id, span, starts_at, ends_at, n, total, revision, true, told_in::text, buckets
          from closed_windows where told_in >= $1::text::xid8
          limit $2) as told
    join series s on s.id = told.series_id
    order by told.starts_at, told.series_id, told.span
"""


@dataclass(frozen=True, slots=True)
class ToldWindow:
    """A window as it is, and the transaction that told it."""

    metric: str
    dimensions: Mapping[str, str]
    step: str
    window: Window
    contents: Contents
    revision: int
    is_final: bool
    told_in: int
    series_id: int


async def read_position(connection: Connection) -> int:
    """From which transaction on something may be told that cannot be seen yet."""
    return int(await connection.fetchval(_POSITION))


async def read_told(connection: Connection, position: int, limit: int) -> list[ToldWindow]:
    """Windows that were told by this transaction or a later one, at most `limit`, the earliest window first."""
    return [_told(row) for row in await connection.fetch(_TOLD, str(position), limit)]


def _told(row: Record) -> ToldWindow:
    buckets = {int(bucket): n for bucket, n in (row["buckets"] or {}).items()}
    return ToldWindow(
        metric=row["metric"],
        dimensions=orjson.loads(row["dimensions"]),
        step=row["span"],
        window=Window(row["starts_at"], row["ends_at"]),
        contents=Contents(row["n"], row["total"], buckets),
        revision=row["revision"],
        is_final=row["is_final"],
        told_in=int(row["told_in"]),
        series_id=row["series_id"],
    )
