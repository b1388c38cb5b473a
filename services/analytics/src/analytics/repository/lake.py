"""What the lake keeps in PostgreSQL: positions, files, revisions of dates, and records put aside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg
from asyncpg import Record
from pydantic import SecretStr

from analytics.domain.lake.files import Day, LakeFile, ListedFile, Standing, Stretch
from service_kit.database import CONNECT_SECONDS, SERVER_SETTINGS, Connection

# Any number does as long as nothing else in this database takes it.
_LEASE = 7_305_190_072

_MOVE = """
insert into lake_positions as p (topic, partition, next_offset)
select $1::text, $2::int, $4::bigint
where $3::bigint = 0 or exists (select from lake_positions where topic = $1::text and partition = $2::int)
on conflict (topic, partition) do update set next_offset = excluded.next_offset where p.next_offset = $3::bigint
returning 1
"""
_ADD_FILES = """
insert into lake_files
    (path, type, happened_on, row_count, size_bytes, sha256, generation, topic, partition, first_offset, until_offset, written_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
_TOUCH_DATES = """
insert into lake_dates as d (happened_on, revision) select distinct unnest($1::date[]), 1
on conflict (happened_on) do update set revision = d.revision + 1
"""
_PUT_ASIDE = "insert into lake_aside (topic, partition, record_offset, reason, type) values ($1, $2, $3, $4, $5)"
_TO_COMPACT = """
select type, happened_on from lake_files where superseded_at is null and happened_on < $1
group by type, happened_on having count(*) > 1 or min(generation) = 0 order by happened_on, type
"""
_OF_DAY = """
select path, generation from lake_files
where type = $1 and happened_on = $2 and superseded_at is null order by generation desc, topic, partition, first_offset
"""
_LAST_GENERATION = "select coalesce(max(generation), 0) from lake_files where type = $1 and happened_on = $2"
_SUPERSEDE = "update lake_files set superseded_at = $2 where path = any($1::text[]) and superseded_at is null"
_UNTOLD = "select happened_on, revision from lake_dates where told_revision < revision order by happened_on"
_LISTED = """
select path, type, row_count, size_bytes, sha256, generation > 0 as is_compacted from lake_files
where happened_on = $1 and superseded_at is null order by path
"""
_TOLD = (
    "update lake_dates set revision = greatest(revision, $2), told_revision = greatest(told_revision, $2) where happened_on = $1"
)
_REMOVABLE = "select path from lake_files where superseded_at < $1 order by superseded_at, path limit 1000"
_STANDING = """
select 'file' as what, path as a, null as b, null::bigint as n, null::date as d from lake_files
union all select 'position', topic, partition::text, next_offset, null from lake_positions
union all select 'generation', type, null, max(generation), happened_on from lake_files group by type, happened_on
union all select 'aside', topic, partition::text, record_offset, null from lake_aside
"""
_READABLE_NOW = """
select topic, partition, record_offset from lake_aside where type = any($1::text[])
order by topic, partition, record_offset limit 1000
"""
_TAKE_BACK = "delete from lake_aside where topic = $1 and partition = $2 and record_offset = $3 returning 1"


@dataclass(frozen=True, slots=True)
class Aside:
    """A record that nobody could read."""

    offset: int
    reason: str
    type: str | None = None


async def connect(url: SecretStr) -> Connection:
    """A connection of the lake's own: the lease lives and dies with it."""
    return await asyncpg.connect(
        url.get_secret_value(),
        timeout=CONNECT_SECONDS,
        server_settings={**SERVER_SETTINGS, "application_name": "analytics-lake"},
    )


async def take_lease(connection: Connection) -> bool:
    """Try to become the one writer of the lake; held until the connection ends."""
    return bool(await connection.fetchval("select pg_try_advisory_lock($1)", _LEASE))


class LakeRepository:
    """The lake's tables, on the connection that holds the lease."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def positions(self) -> dict[tuple[str, int], int]:
        """Up to where each partition is in files."""
        rows = await self._connection.fetch("select topic, partition, next_offset from lake_positions")
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def move(self, stretch: Stretch) -> bool:
        """Move a position over the stretch; False when it is no longer at its first offset, because another writer moved it."""
        arguments = (stretch.topic, stretch.partition, stretch.first, stretch.until)
        return await self._connection.fetchval(_MOVE, *arguments) is not None

    async def add_files(self, files: Sequence[LakeFile], now: datetime) -> None:
        """Have these files count from now on; their dates get a new revision."""
        await self._connection.executemany(_ADD_FILES, [_row_of(file, now) for file in files])
        await self._connection.execute(_TOUCH_DATES, [file.day.on for file in files])

    async def put_aside(self, topic: str, partition: int, records: Iterable[Aside]) -> None:
        """Remember where records lie that are in no file."""
        rows = [(topic, partition, each.offset, each.reason, each.type) for each in records]
        await self._connection.executemany(_PUT_ASIDE, rows)

    async def list_readable_now(self, types: Sequence[str]) -> list[Stretch]:
        """Where records lie that were put aside because their type was not known, and now is."""
        rows = await self._connection.fetch(_READABLE_NOW, types)
        return [_one_record(row) for row in rows]

    async def take_back(self, record: Stretch) -> bool:
        """Forget that a record was put aside; False when another writer has."""
        return await self._connection.fetchval(_TAKE_BACK, record.topic, record.partition, record.first) is not None

    async def list_to_compact(self, before: date) -> list[Day]:
        """The days before that date which are not in one compacted file each."""
        return [Day(row["type"], row["happened_on"]) for row in await self._connection.fetch(_TO_COMPACT, before)]

    async def paths_of(self, day: Day) -> list[str]:
        """The files of a day that count."""
        return [row["path"] for row in await self._connection.fetch(_OF_DAY, day.type, day.on)]

    async def last_generation(self, day: Day) -> int:
        """How often a day was compacted."""
        return int(await self._connection.fetchval(_LAST_GENERATION, day.type, day.on))

    async def supersede(self, paths: Sequence[str], now: datetime) -> int:
        """Have these files count no longer; says how many did until now."""
        return int((await self._connection.execute(_SUPERSEDE, paths, now)).rpartition(" ")[2])

    async def list_untold(self) -> list[tuple[date, int]]:
        """The dates whose newest revision no manifest in the store says, with that revision."""
        return [(row["happened_on"], row["revision"]) for row in await self._connection.fetch(_UNTOLD)]

    async def listed(self, on: date) -> list[ListedFile]:
        """What the manifest of a date names."""
        return [
            ListedFile(r["path"], r["type"], r["row_count"], r["size_bytes"], r["sha256"].hex(), r["is_compacted"])
            for r in await self._connection.fetch(_LISTED, on)
        ]

    async def told(self, on: date, revision: int) -> None:
        """Remember that a manifest of this revision is in the store."""
        await self._connection.execute(_TOLD, on, revision)

    async def list_removable(self, superseded_before: datetime) -> list[str]:
        """Files that have not counted since then."""
        return [row["path"] for row in await self._connection.fetch(_REMOVABLE, superseded_before)]

    async def forget_file(self, path: str) -> None:
        """Remove the row of a file that is gone."""
        await self._connection.execute("delete from lake_files where path = $1", path)

    async def standing(self) -> Standing:
        """What holds at one moment; one statement, so that all of it is of the same one."""
        rows = await self._connection.fetch(_STANDING)
        return Standing(
            paths=frozenset(row["a"] for row in rows if row["what"] == "file"),
            positions={(row["a"], int(row["b"])): row["n"] for row in rows if row["what"] == "position"},
            generations={Day(row["a"], row["d"]): row["n"] for row in rows if row["what"] == "generation"},
            aside=frozenset((row["a"], int(row["b"]), row["n"]) for row in rows if row["what"] == "aside"),
        )


def _row_of(file: LakeFile, now: datetime) -> tuple[object, ...]:
    place = file.stretch and (file.stretch.topic, file.stretch.partition, file.stretch.first, file.stretch.until)
    facts = (file.path, file.day.type, file.day.on, file.rows, file.size, file.sha256, file.generation)
    return (*facts, *(place or (None, None, None, None)), now)


def _one_record(row: Record) -> Stretch:
    return Stretch(row["topic"], row["partition"], row["record_offset"], row["record_offset"] + 1)
