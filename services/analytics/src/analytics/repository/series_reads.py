"""What the API reads of windows: open ones and closed ones together, for a correction adds to a window that is closed already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from asyncpg import Record

from analytics.domain.spans import Window
from analytics.windows.contents import Contents
from service_kit.database import Connection

_SERIES = "select id, dimensions from series where metric = $1"
_WINDOWS = """
    select series_id, starts_at, ends_at, n, total, revision, is_final from windows
    where series_id = any($1::bigint[]) and span = $2 and starts_at >= $3 and starts_at < $4
    union all
    select series_id, starts_at, ends_at, n, total, revision, true from closed_windows
    where series_id = any($1::bigint[]) and span = $2 and starts_at >= $3 and starts_at < $4
"""
_BEFORE = """
    select series_id, sum(n)::bigint as n, sum(total)::bigint as total
    from (select series_id, n, total from windows
          where series_id = any($1::bigint[]) and span = $2 and starts_at < $3
          union all
          select series_id, n, total from closed_windows
          where series_id = any($1::bigint[]) and span = $2 and starts_at < $3) as parts
    group by series_id
"""
_BUCKETS = """
    select series_id, starts_at, bucket, sum(n)::bigint as n
    from (select series_id, starts_at, bucket, n from window_buckets
          where series_id = any($1::bigint[]) and span = $2 and starts_at >= $3 and starts_at < $4
          union all
          select series_id, starts_at, entry.key::int, entry.value::bigint
          from closed_windows, jsonb_each_text(buckets) as entry
          where series_id = any($1::bigint[]) and span = $2 and starts_at >= $3 and starts_at < $4) as parts
    group by series_id, starts_at, bucket
"""
# Different people cannot be added up: where a window has two parts, both of their members are needed.
_MEMBERS = """
    select closed.series_id, closed.starts_at, closed.members,
           array(select m.member from window_members m
                 where m.series_id = closed.series_id and m.span = closed.span and m.starts_at = closed.starts_at) as corrections
    from closed_windows closed
    join windows w on w.tenant_id = closed.tenant_id and w.series_id = closed.series_id and w.span = closed.span
                  and w.starts_at = closed.starts_at
    where closed.series_id = any($1::bigint[]) and closed.span = $2 and closed.starts_at >= $3 and closed.starts_at < $4
"""
_MEMBER_BYTES = 16

Place = tuple[int, datetime]
"""A series and the start of one of its windows."""


class SeriesReads:
    """Reads within one transaction of a tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def see_one_moment(self) -> None:
        """Have all reads of this transaction see the same: between two of them the publisher may move a window."""
        await self._connection.execute("set transaction isolation level repeatable read, read only")

    async def list_series(self, metric: str) -> list[tuple[int, Mapping[str, str]]]:
        """Every group of the tenant that the metric has counted in, by the values of its dimensions."""
        rows = await self._connection.fetch(_SERIES, metric)
        found = [(row["id"], orjson.loads(row["dimensions"])) for row in rows]
        return sorted(found, key=lambda each: sorted(each[1].items()))

    async def read_windows(self, series_ids: Sequence[int], span: str, start: datetime, end: datetime) -> list[Record]:
        """What is kept of the windows that begin in this time: one row each, or two where a correction waits to be told."""
        return await self._connection.fetch(_WINDOWS, series_ids, span, start, end)

    async def read_buckets(
        self, series_ids: Sequence[int], span: str, start: datetime, end: datetime
    ) -> Mapping[Place, Mapping[int, int]]:
        """How the values of these windows spread."""
        found: dict[Place, dict[int, int]] = {}
        for row in await self._connection.fetch(_BUCKETS, series_ids, span, start, end):
            found.setdefault((row["series_id"], row["starts_at"]), {})[row["bucket"]] = row["n"]
        return found

    async def read_members(
        self, series_ids: Sequence[int], span: str, start: datetime, end: datetime
    ) -> Mapping[Place, frozenset[bytes]]:
        """The members of those windows that have two parts."""
        rows = await self._connection.fetch(_MEMBERS, series_ids, span, start, end)
        return {
            (row["series_id"], row["starts_at"]): frozenset(_split(row["members"] or b"")) | frozenset(row["corrections"])
            for row in rows
        }

    async def sum_before(self, series_ids: Sequence[int], span: str, before: datetime) -> Mapping[int, Contents]:
        """What all windows that begin before come to, by series."""
        rows = await self._connection.fetch(_BEFORE, series_ids, span, before)
        return {row["series_id"]: Contents(row["n"], row["total"]) for row in rows}


def window_of(row: Record) -> Window:
    """The window that a row is about."""
    return Window(row["starts_at"], row["ends_at"])


def _split(members: bytes) -> list[bytes]:
    return [members[at : at + _MEMBER_BYTES] for at in range(0, len(members), _MEMBER_BYTES)]
