"""Shadows of the live tables: emptied, compared with them tenant by tenant, and put in their place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from pydantic import SecretStr

from bloom_events.ids import TenantId
from service_kit.database import CONNECT_SECONDS, SERVER_SETTINGS, Connection

# Any number does as long as nothing else in this database takes it.
_TURN = 7_305_190_073

# What the worker's statements write goes into the shadows on a connection that finds them first.
_SESSION = {
    **SERVER_SETTINGS,
    "application_name": "analytics-replay",
    "search_path": "shadow, public",
    "statement_timeout": "0",
    # Somebody who was stopped must not keep the worker waiting for good.
    "idle_in_transaction_session_timeout": "60000",
}
_EMPTY = "truncate shadow.series, shadow.windows, shadow.window_buckets, shadow.window_members, shadow.people, shadow.sessions"
_POSITIONS = "select topic, partition, next_offset from public.partitions where topic = any($1::text[])"

# All of a window: what is hot, and what was put out of the way, together.
_LIVE = """
    select p.*,
        (select jsonb_object_agg(f.bucket, f.n) from (
            select a.bucket, sum(a.n) as n from (
                select b.bucket::text as bucket, b.n from public.window_buckets b
                where b.series_id = p.series_id and b.span = p.span and b.starts_at = p.starts_at
                union all
                select e.key, e.value::bigint from public.closed_windows c, jsonb_each_text(c.buckets) e
                where c.series_id = p.series_id and c.span = p.span and c.starts_at = p.starts_at) as a
            group by a.bucket) as f) as buckets,
        (select string_agg(a.member, '' order by a.member) from (
            select m.member from public.window_members m
            where m.series_id = p.series_id and m.span = p.span and m.starts_at = p.starts_at
            union
            select substring(c.members from 16 * i + 1 for 16)
            from public.closed_windows c, generate_series(0, length(c.members) / 16 - 1) i
            where c.series_id = p.series_id and c.span = p.span and c.starts_at = p.starts_at) as a) as members
    from (
        select s.id as series_id, s.dimensions, k.span, k.starts_at, max(k.ends_at) as ends_at,
            sum(k.n)::bigint as n, sum(k.total)::bigint as total
        from public.series s join (
            select series_id, span, starts_at, ends_at, n, total from public.windows
            union all
            select series_id, span, starts_at, ends_at, n, total from public.closed_windows) as k on k.series_id = s.id
        where s.metric = $1 and k.starts_at >= $2
        group by s.id, s.dimensions, k.span, k.starts_at) as p
"""
_REBUILT = """
    select w.series_id, s.dimensions, w.span, w.starts_at, w.ends_at, w.n, w.total,
        (select jsonb_object_agg(b.bucket::text, b.n) from shadow.window_buckets b
            where b.series_id = w.series_id and b.span = w.span and b.starts_at = w.starts_at) as buckets,
        (select string_agg(m.member, '' order by m.member) from shadow.window_members m
            where m.series_id = w.series_id and m.span = w.span and m.starts_at = w.starts_at) as members
    from shadow.windows w join shadow.series s on s.id = w.series_id
    where s.metric = $1 and w.starts_at >= $2
"""
_WINDOWS_DIFFER = f"""
with live as materialized ({_LIVE}), rebuilt as materialized ({_REBUILT}),
    both_of_them as (
        select dimensions, span, starts_at, coalesce(l.ends_at, r.ends_at) as ends_at,
            coalesce(length(l.members) / 16, l.n, 0) as live_n, coalesce(l.total, 0) as live_total,
            coalesce(r.n, 0) as n, coalesce(r.total, 0) as total,
            l.buckets is distinct from r.buckets as buckets_differ, l.members is distinct from r.members as members_differ
        from live l full join rebuilt r using (dimensions, span, starts_at))
select * from both_of_them where live_n <> n or live_total <> total or buckets_differ or members_differ
order by dimensions, span, starts_at
"""  # noqa: S608  # parts of the program

_KEYS = """
    (select s.id as series_id, k.* from unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
        as k (dimensions, span, starts_at, ends_at)
    join public.series s on s.metric = $1 and s.dimensions = k.dimensions)
"""
_MAKE_SERIES = """
insert into public.series (metric, dimensions) select $1, d from unnest($2::text[]) d group by d order by d on conflict do nothing
"""
# Whoever tells of windows, or puts them out of the way, leaves these alone from here on.
_LOCK = f"""
select from public.windows w join {_KEYS} as k using (series_id, span, starts_at)
order by w.series_id, w.span, w.starts_at for update of w
"""  # parts of the program
_REOPEN = f"""
with gone as (
    delete from public.closed_windows c using {_KEYS} as k
    where c.series_id = k.series_id and c.span = k.span and c.starts_at = k.starts_at
    returning c.series_id, c.span, c.starts_at, c.ends_at, c.revision)
insert into public.windows as w (series_id, span, starts_at, ends_at, n, total, revision, is_final)
select series_id, span, starts_at, ends_at, 0, 0, revision, true from gone
on conflict (tenant_id, series_id, span, starts_at) do update
    set revision = greatest(w.revision, excluded.revision), is_final = true
"""  # noqa: S608  # parts of the program
_SET = f"""
insert into public.windows as w (series_id, span, starts_at, ends_at, n, total, changed_at)
select k.series_id, k.span, k.starts_at, k.ends_at, coalesce(r.n, 0), coalesce(r.total, 0), clock_timestamp()
from {_KEYS} as k
left join (shadow.windows r join shadow.series s on s.id = r.series_id and s.metric = $1)
    on s.dimensions = k.dimensions and r.span = k.span and r.starts_at = k.starts_at
on conflict (tenant_id, series_id, span, starts_at) do update
    set n = excluded.n, total = excluded.total, changed_at = coalesce(w.changed_at, excluded.changed_at)
"""  # noqa: S608  # parts of the program
_PARTS = ("window_buckets", "window_members")
_CLEAR = {
    part: f"""
delete from public.{part} p using {_KEYS} as k
where p.series_id = k.series_id and p.span = k.span and p.starts_at = k.starts_at
"""  # noqa: S608  # parts of the program
    for part in _PARTS
}
_FILL = {
    part: f"""
insert into public.{part} (series_id, span, starts_at, {columns})
select k.series_id, k.span, k.starts_at, {columns} from {_KEYS} as k
join shadow.series s on s.metric = $1 and s.dimensions = k.dimensions
join shadow.{part} p on p.series_id = s.id and p.span = k.span and p.starts_at = k.starts_at
"""  # noqa: S608  # parts of the program
    for part, columns in zip(_PARTS, ("bucket, n", "member"), strict=True)
}

_PEOPLE_DIFFER = """
select user_id as id, l.role || ' since ' || l.registered_at as live, r.role || ' since ' || r.registered_at as rebuilt
from public.people l full join shadow.people r using (user_id)
where (l.role, l.registered_at) is distinct from (r.role, r.registered_at) order by user_id
"""
_SESSIONS_DIFFER = """
select session_id as id, concat_ws(' ', l.expires_at, 'revoked', l.revoked_at) as live,
    concat_ws(' ', r.expires_at, 'revoked', r.revoked_at) as rebuilt
from public.sessions l full join shadow.sessions r using (session_id)
where (l.session_id, l.expires_at, l.revoked_at) is distinct from (r.session_id, r.expires_at, r.revoked_at) order by session_id
"""
_SWAP_PEOPLE = (
    "delete from public.people where user_id = any($1::uuid[])",
    "insert into public.people select * from shadow.people where user_id = any($1::uuid[])",
)
_SWAP_SESSIONS = (
    "delete from public.sessions where session_id = any($1::uuid[])",
    "insert into public.sessions select * from shadow.sessions where session_id = any($1::uuid[])",
)
_DIFFER = {"people": _PEOPLE_DIFFER, "sessions": _SESSIONS_DIFFER}
_SWAP = {"people": _SWAP_PEOPLE, "sessions": _SWAP_SESSIONS}


@dataclass(frozen=True, slots=True)
class WindowDifference:
    """A window that the live tables and the shadows do not have alike."""

    dimensions: str
    span: str
    starts_at: datetime
    ends_at: datetime
    live_n: int
    live_total: int
    n: int
    total: int
    buckets_differ: bool
    members_differ: bool


async def connect(url: SecretStr) -> Connection:
    """A connection of a replay's own: on it names of tables mean their shadows, where there are some."""
    return await asyncpg.connect(url.get_secret_value(), timeout=CONNECT_SECONDS, server_settings=_SESSION)


class ShadowRepository:
    """The shadows, on a connection that `connect` made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take_turn(self) -> bool:
        """Try to be the one who uses the shadows; they are this connection's until it ends."""
        return bool(await self._connection.fetchval("select pg_try_advisory_lock($1)", _TURN))

    async def empty(self) -> None:
        """Remove what a replay has left."""
        await self._connection.execute(_EMPTY)

    async def positions(self, topics: Collection[str]) -> dict[tuple[str, int], int]:
        """Up to where the live tables have been written."""
        rows = await self._connection.fetch(_POSITIONS, topics)
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def tenants_of(self, model: str) -> list[TenantId]:
        """Who has something of a model, live or rebuilt."""
        return sorted(row["tenant_id"] for row in await self._connection.fetch("select * from tenants_of($1)", model))

    async def set_tenant(self, tenant_id: TenantId) -> None:
        """See the rows of this tenant until the end of the transaction."""
        await self._connection.execute("select set_config('app.tenant_id', $1, true)", str(tenant_id))

    async def windows_that_differ(self, metric: str, since: datetime) -> list[WindowDifference]:
        """The tenant's windows of a metric, from a moment on, that are not alike."""
        return [WindowDifference(**row) for row in await self._connection.fetch(_WINDOWS_DIFFER, metric, since)]

    async def swap_windows(self, metric: str, found: Sequence[WindowDifference]) -> None:
        """Make the tenant's live windows what the shadows say; they are to be told again."""
        columns = [[getattr(each, name) for each in found] for name in ("dimensions", "span", "starts_at", "ends_at")]
        await self._connection.execute(_MAKE_SERIES, metric, columns[0])
        for statement in (_LOCK, _REOPEN, _SET, *_CLEAR.values(), *_FILL.values()):
            await self._connection.execute(statement, metric, *columns)

    async def rows_that_differ(self, table: str) -> list[Any]:
        """The tenant's rows of `people` or `sessions` that are not alike: `id`, and what both say."""
        return await self._connection.fetch(_DIFFER[table])

    async def swap_rows(self, table: str, ids: Sequence[object]) -> None:
        """Make the tenant's live rows of `people` or `sessions` what the shadows say."""
        for statement in _SWAP[table]:
            await self._connection.execute(statement, ids)
