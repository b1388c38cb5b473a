"""Rows of partitions and of the batches that were handled of them; no tenant owns these."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from asyncpg import Record

from analytics.domain.partitions import Place, Progress
from analytics.windows.handled import Batch, Change
from service_kit.database import Connection, Pool

_LOCK = """
    select p.* from partitions p join unnest($1::text[], $2::int[]) as r (topic, partition) using (topic, partition)
    order by topic, partition for update of p
"""
_ADD = """
    insert into partitions (topic, partition, next_offset)
    select topic, partition, 0 from unnest($1::text[], $2::int[]) as r (topic, partition) order by topic, partition
    on conflict do nothing
"""
_ADVANCE = """
    update partitions p set next_offset = r.next_offset, watermark = greatest(p.watermark, r.watermark), active_at = $5
    from unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[]) as r (topic, partition, next_offset, watermark)
    where p.topic = r.topic and p.partition = r.partition
"""
_NOTE_CAUGHT_UP = """
    insert into partitions as p (topic, partition, next_offset, caught_up_at)
    select topic, partition, 0, caught_up_at
    from unnest($1::text[], $2::int[], $3::timestamptz[]) as r (topic, partition, caught_up_at) order by topic, partition
    on conflict (topic, partition) do update set caught_up_at = greatest(p.caught_up_at, excluded.caught_up_at)
"""
_HANDLED = "select last_offset, event_ids from handled_batches where topic = $1 and partition = $2"
_FORGET = """
    delete from handled_batches h using unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
        as r (topic, partition, fills, forgets_until)
    where h.topic = r.topic and h.partition = r.partition and (h.last_offset = r.fills or h.last_offset <= r.forgets_until)
"""
_REMEMBER = """
    insert into handled_batches (topic, partition, last_offset, event_ids)
    select * from unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[])
"""


class PartitionRepository:
    """Reads and writes how far the log was read, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, places: Collection[Place]) -> dict[Place, Progress]:
        """How far these partitions were read; nobody else moves them until the transaction ends."""
        wanted = _columns(sorted(places))
        rows = await self._connection.fetch(_LOCK, *wanted)
        if len(rows) < len(places):
            await self._connection.execute(_ADD, *wanted)
            rows = await self._connection.fetch(_LOCK, *wanted)
        return {Place(row["topic"], row["partition"]): _progress(row) for row in rows}

    async def advance(self, ends: Mapping[Place, tuple[int, datetime | None]], now: datetime) -> None:
        """Write the next offset and the latest time of each partition."""
        if rows := [(*place, *end) for place, end in sorted(ends.items())]:
            await self._connection.execute(_ADVANCE, *_columns(rows), now)

    async def handled(self, place: Place) -> list[Batch]:
        """What is remembered of a partition."""
        return [Batch(*row) for row in await self._connection.fetch(_HANDLED, *place)]

    async def remember(self, changes: Mapping[Place, Change]) -> None:
        """Write which events were counted now, and forget the oldest."""
        if old := [
            (*place, c.fills, c.forgets_until) for place, c in changes.items() if (c.fills, c.forgets_until) != (None, None)
        ]:
            await self._connection.execute(_FORGET, *_columns(old))
        if new := [(*place, *change.batch) for place, change in changes.items()]:
            await self._connection.execute(_REMEMBER, *_columns(new))


async def note_caught_up(pool: Pool, found: Mapping[Place, datetime]) -> None:
    """Write of which partitions nothing more was to be read, and when."""
    if found:
        await pool.execute(_NOTE_CAUGHT_UP, *_columns([(*place, at) for place, at in sorted(found.items())]))


async def progress_of_all(pool: Pool) -> dict[Place, Progress]:
    """How far every partition was read."""
    return {Place(row["topic"], row["partition"]): _progress(row) for row in await pool.fetch("select * from partitions")}


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _progress(row: Record) -> Progress:
    return Progress(row["next_offset"], row["watermark"], row["active_at"], row["caught_up_at"])
