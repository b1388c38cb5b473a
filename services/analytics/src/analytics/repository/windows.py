"""Windows whose newest state has to be told, and what becomes of them then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from asyncpg import Record

from analytics.domain.results import KnownWindow, WindowPlace
from analytics.windows.contents import Contents
from bloom_events.ids import TenantId
from service_kit.database import Connection, Pool

# No order: the oldest come first by the index, and sorting all that waits for every five hundred would take longer.
_CLAIM = """
    select w.*, s.metric, s.dimensions from windows w
    join series s on s.tenant_id = w.tenant_id and s.id = w.series_id
    join unnest($1::text[], $2::timestamptz[]) as m (metric, closes) on m.metric = s.metric
    where (w.changed_at is not null or (not w.is_final and w.ends_at <= $4))
        and (w.changed_at <= $3 or ((w.changed_at is not null or not w.is_final) and w.ends_at <= m.closes))
    limit $5 for update of w skip locked
"""
_BUCKETS = """
    select b.* from window_buckets b join unnest($1::bigint[], $2::text[], $3::timestamptz[]) as r (series_id, span, starts_at)
    using (series_id, span, starts_at)
"""
_MEMBERS = """
    select m.* from window_members m join unnest($1::bigint[], $2::text[], $3::timestamptz[]) as r (series_id, span, starts_at)
    using (series_id, span, starts_at)
"""
_LOCK_CLOSED = """
    select c.* from closed_windows c
    join unnest($1::bigint[], $2::text[], $3::timestamptz[]) as r (series_id, span, starts_at) using (series_id, span, starts_at)
    order by series_id, span, starts_at for update of c
"""
_TOLD = """
    update windows w set revision = r.revision, is_final = r.is_final, changed_at = null
    from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::int[], $5::boolean[])
        as r (series_id, span, starts_at, revision, is_final)
    where w.series_id = r.series_id and w.span = r.span and w.starts_at = r.starts_at
"""
_CORRECT = """
    update closed_windows c set revision = r.revision, n = r.n, total = r.total, buckets = r.buckets, members = r.members
    from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::int[], $5::bigint[], $6::bigint[], $7::jsonb[], $8::bytea[])
        as r (series_id, span, starts_at, revision, n, total, buckets, members)
    where c.series_id = r.series_id and c.span = r.span and c.starts_at = r.starts_at
"""
_REMOVE = """
    delete from windows w using unnest($1::bigint[], $2::text[], $3::timestamptz[]) as r (series_id, span, starts_at)
    where w.series_id = r.series_id and w.span = r.span and w.starts_at = r.starts_at
"""
_CLAIM_DONE = """
    select w.series_id, w.span, w.starts_at from windows w
    join series s on s.tenant_id = w.tenant_id and s.id = w.series_id
    join unnest($1::text[], $2::timestamptz[]) as m (metric, done) on m.metric = s.metric
    where w.is_final and w.changed_at is null and w.ends_at <= m.done
    limit $3 for update of w skip locked
"""
_CLOSE = """
    insert into closed_windows (series_id, span, starts_at, ends_at, n, total, revision, buckets, members, closed_at)
    select w.series_id, w.span, w.starts_at, w.ends_at, w.n, w.total, w.revision,
        (select jsonb_object_agg(b.bucket::text, b.n) from window_buckets b
            where b.tenant_id = w.tenant_id and b.series_id = w.series_id and b.span = w.span and b.starts_at = w.starts_at),
        (select string_agg(m.member, '' order by m.member) from window_members m
            where m.tenant_id = w.tenant_id and m.series_id = w.series_id and m.span = w.span and m.starts_at = w.starts_at),
        $4
    from windows w join unnest($1::bigint[], $2::text[], $3::timestamptz[]) as r (series_id, span, starts_at)
    using (series_id, span, starts_at)
"""
_MEMBER_BYTES = 16


class Row(NamedTuple):
    """A window with its sums; what its buckets and members are has to be asked."""

    window: KnownWindow
    contents: Contents


class WindowRepository:
    """Reads and writes the windows of one tenant within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(
        self, closes: Mapping[str, datetime | None], *, untold_until: datetime, ended_until: datetime, limit: int
    ) -> list[Row]:
        """Up to `limit` windows of these metrics that have to be told, locked; those that somebody else has are left out.

        `closes` says up to which end the windows of a metric are final; `ended_until` is the latest of these.
        """
        rows = await self._connection.fetch(_CLAIM, list(closes), list(closes.values()), untold_until, ended_until, limit)
        return [Row(_window(row), Contents(row["n"], row["total"])) for row in rows]

    async def buckets_of(self, places: Sequence[WindowPlace]) -> Mapping[WindowPlace, Mapping[int, int]]:
        """How the values of these windows spread."""
        found: dict[WindowPlace, dict[int, int]] = defaultdict(dict)
        for row in await self._connection.fetch(_BUCKETS, *_columns(places)):
            found[_place(row)][row["bucket"]] = row["n"]
        return found

    async def members_of(self, places: Sequence[WindowPlace]) -> Mapping[WindowPlace, set[bytes]]:
        """Who was counted in these windows, as hashes."""
        found: dict[WindowPlace, set[bytes]] = defaultdict(set)
        for row in await self._connection.fetch(_MEMBERS, *_columns(places)):
            found[_place(row)].add(row["member"])
        return found

    async def closed_of(self, places: Sequence[WindowPlace]) -> dict[WindowPlace, tuple[int, Contents]]:
        """Which of these were put out of the way, locked: their revision and what they held."""
        rows = await self._connection.fetch(_LOCK_CLOSED, *_columns(places))
        return {_place(row): (row["revision"], _closed_contents(row)) for row in rows}

    async def told(self, windows: Sequence[KnownWindow]) -> None:
        """Write what was told."""
        await self._connection.execute(_TOLD, *_columns([(*each.place, each.revision, each.is_final) for each in windows]))

    async def correct(self, rows: Sequence[Row]) -> None:
        """Put what was added to closed windows there; the contents are those of both together."""
        values = [
            (
                *row.window.place,
                row.window.revision,
                row.contents.n,
                row.contents.total,
                {str(bucket): n for bucket, n in row.contents.buckets.items()} or None,
                b"".join(sorted(row.contents.members)) or None,
            )
            for row in rows
        ]
        await self._connection.execute(_CORRECT, *_columns(values))
        await self._connection.execute(_REMOVE, *_columns([row.window.place for row in rows]))

    async def claim_done(self, done: Mapping[str, datetime], limit: int) -> list[WindowPlace]:
        """Up to `limit` final windows that ended before their metric's moment, locked."""
        rows = await self._connection.fetch(_CLAIM_DONE, list(done), list(done.values()), limit)
        return [_place(row) for row in rows]

    async def close(self, places: Sequence[WindowPlace], now: datetime) -> None:
        """Put windows out of the way."""
        await self._connection.execute(_CLOSE, *_columns(places), now)
        await self._connection.execute(_REMOVE, *_columns(places))


class UntoldFigures(NamedTuple):
    """Over all tenants: how many windows wait to be told, a thousand at most, and since when the oldest does."""

    untold: int
    oldest: datetime | None


async def tenants_with_news(pool: Pool, *, untold_until: datetime, ended_until: datetime) -> list[TenantId]:
    """Whose windows have to be told."""
    rows = await pool.fetch("select tenant_id from tenants_with_news($1, $2)", untold_until, ended_until)
    return [TenantId(row[0]) for row in rows]


async def tenants_with_done(pool: Pool, *, ended_until: datetime) -> list[TenantId]:
    """Whose final windows may be put out of the way."""
    return [TenantId(row[0]) for row in await pool.fetch("select tenant_id from tenants_with_done($1)", ended_until)]


async def untold_figures(pool: Pool) -> UntoldFigures:
    """How much waits to be told."""
    row = await pool.fetchrow("select untold, oldest from untold_figures()")
    return UntoldFigures(*row) if row is not None else UntoldFigures(0, None)


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _place(row: Record) -> WindowPlace:
    return WindowPlace(row["series_id"], row["span"], row["starts_at"])


def _window(row: Record) -> KnownWindow:
    return KnownWindow(_place(row), row["metric"], row["dimensions"], row["ends_at"], row["revision"], row["is_final"])


def _closed_contents(row: Record) -> Contents:
    buckets = {int(bucket): n for bucket, n in (row["buckets"] or {}).items()}
    packed = row["members"] or b""
    members = frozenset(packed[at : at + _MEMBER_BYTES] for at in range(0, len(packed), _MEMBER_BYTES))
    return Contents(row["n"], row["total"], buckets, members)
