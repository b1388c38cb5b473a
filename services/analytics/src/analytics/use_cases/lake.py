"""Writing the lake, a round at a time: what is new in the log becomes files, days that are over become one file each.

Whatever is put into the store has a name that no other content ever gets, and counts only once a row names it; the row, and how
far the log was written, are saved in one transaction. So a crash leaves at most a file that nobody is told of: the same round
makes it again under the same name, or it is removed as an orphan.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol, TypeAlias, get_args

import structlog
from asyncpg import PostgresError

from analytics.clients import lake_meters as meters
from analytics.clients.lake_parquet import merged
from analytics.domain.lake.fields import LAKE_TOPICS, LAKE_TYPES
from analytics.domain.lake.files import (
    DATA,
    Day,
    LakeFile,
    ListedFile,
    Stretch,
    compacted,
    manifest,
    manifest_folder,
    manifest_path,
    revision_of,
)
from analytics.domain.lake.rows import Rows
from analytics.repository.lake import LakeRepository, take_lease
from analytics.use_cases.lake_batches import Batch, batch_of
from service_kit.consuming import LogRecord
from service_kit.database import Connection
from service_kit.failpoints import Failpoint, no_failpoint
from service_kit.log_reader import Place
from service_kit.object_store.port import ObjectStore, content_of
from service_kit.unit_of_work import Clock, utc_now

log = structlog.get_logger(__name__)

FailpointName: TypeAlias = Literal[
    "read", "put", "committing", "committed", "manifest-put", "told", "merged", "switching", "switched", "removed"
]
FAILPOINTS: tuple[str, ...] = get_args(FailpointName)
"""Records read; files put; all but committed; committed; a manifest put; noted as told; a compacted file put; the switch to it
all but committed; committed; a superseded file removed."""

Connect: TypeAlias = Callable[[], Awaitable[Connection]]

_CLOSE_SECONDS = 2.0
_MANIFESTS_KEPT = 2


class Log(Protocol):
    """What is read; calls block."""

    def ends(self, topics: Sequence[str]) -> dict[Place, int]: ...

    def read(self, topic: str, partition: int, first: int, until: int, limit: int) -> tuple[list[LogRecord], int]: ...


class AnotherWriter(Exception):  # noqa: N818  # named for who was there
    """Somebody else has moved a position: the lease was lost, and the round ends without effect."""


class LogShorter(Exception):  # noqa: N818  # named for what happened to the log
    """A partition ends before what is already in files: it was made anew, and somebody has to look at it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a day is compacted, how long superseded files stay, and how many records are taken at a time."""

    # Events of a day still come for a while after it.
    day_is_over_after: timedelta = timedelta(hours=1)
    superseded_stay: timedelta = timedelta(hours=1)
    sweep_every: timedelta = timedelta(days=1)
    batch_records: int = 50_000


@dataclass(slots=True)
class Done:
    """What a round came to."""

    records: int = 0
    files: int = 0
    compacted: int = 0
    removed: int = 0
    orphans: int = 0


class Lake:
    """One writer of the lake; of several processes one writes at a time, by a lease in PostgreSQL."""

    def __init__(
        self,
        log_reader: Log,
        store: ObjectStore,
        rows: Rows,
        connect: Connect,
        *,
        timing: Timing = Timing(),
        clock: Clock = utc_now,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self._log, self._store, self._rows, self._connect = log_reader, store, rows, connect
        self._timing, self._clock, self._failpoint = timing, clock, failpoint
        self._swept_at: datetime | None = None

    async def round(self) -> Done | None:
        """Bring the lake up to date; None when another process is at it. What one leaves undone the next round does."""
        started = time.monotonic()
        async with self._leased() as connection:
            if connection is None:
                return None
            done, lake = Done(), LakeRepository(connection)
            await self._sweep(lake, done)
            await self._read_again(connection, lake, done)
            await self._write(connection, lake, done)
            await self._compact(connection, lake, done)
            await self._tell(lake)
            await self._remove(lake, done)
        meters.ROUND_SECONDS.observe(time.monotonic() - started)
        meters.WRITTEN_AT.set(self._clock().timestamp())
        return done

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[Connection | None]:
        """A connection that holds the lease. All that is saved goes through it: whoever has lost it saves nothing."""
        connection = await self._connect()
        try:
            yield connection if await take_lease(connection) else None
        finally:
            await _closed(connection)

    async def _sweep(self, lake: LakeRepository, done: Done) -> None:
        """Remove what crashes left behind, at the first round of a process and then daily."""
        now = self._clock()
        if self._swept_at is not None and now - self._swept_at < self._timing.sweep_every:
            return
        found = await asyncio.to_thread(self._store.paths, DATA)
        standing = await lake.standing()
        for path in filter(standing.is_orphan, found):
            await asyncio.to_thread(self._store.remove, path)
            meters.FILES.labels("orphan").inc()
            done.orphans += 1
        self._swept_at = now

    async def _read_again(self, connection: Connection, lake: LakeRepository, done: Done) -> None:
        """Write what an older version of this program put aside, because it did not know the type."""
        for record in await lake.list_readable_now(list(LAKE_TYPES)):
            batch = await self._batch(record)
            files = await self._put(batch)
            async with connection.transaction():
                if not await lake.take_back(record):
                    raise AnotherWriter
                await self._save(lake, batch, files)
            batch.count()
            done.files += len(files)

    async def _write(self, connection: Connection, lake: LakeRepository, done: Done) -> None:
        """Turn everything that was in the log when the round began into files, partition after partition."""
        ends = await asyncio.to_thread(self._log.ends, [topic.name for topic in LAKE_TOPICS])
        positions = await lake.positions()
        left = {place: end - positions.get(place, 0) for place, end in ends.items()}
        meters.BEHIND_RECORDS.set(sum(left.values()))
        for (topic, partition), end in ends.items():
            first = positions.get((topic, partition), 0)
            if end < first:
                raise LogShorter(f"{topic} {partition}")
            while first < end:
                first = await self._write_some(connection, lake, Stretch(topic, partition, first, end), done)

    async def _write_some(self, connection: Connection, lake: LakeRepository, wanted: Stretch, done: Done) -> int:
        """Write the next records of a partition and return where to go on."""
        batch = await self._batch(wanted)
        self._failpoint("read")
        files = await self._put(batch)
        self._failpoint("put")
        async with connection.transaction():
            if not await lake.move(batch.stretch):
                raise AnotherWriter
            await self._save(lake, batch, files)
            self._failpoint("committing")
        self._failpoint("committed")
        batch.count()
        done.records += batch.stretch.until - batch.stretch.first
        done.files += len(files)
        return batch.stretch.until

    async def _batch(self, wanted: Stretch) -> Batch:
        return await asyncio.to_thread(self._read, wanted)

    def _read(self, wanted: Stretch) -> Batch:
        limit = self._timing.batch_records
        records, until = self._log.read(wanted.topic, wanted.partition, wanted.first, wanted.until, limit)
        return batch_of(records, Stretch(wanted.topic, wanted.partition, wanted.first, until), self._rows)

    async def _put(self, batch: Batch) -> list[LakeFile]:
        files = []
        for day in sorted(batch.days):
            file, content = await asyncio.to_thread(batch.file_of, day)
            await asyncio.to_thread(self._store.put, file.path, content)
            files.append(file)
        return files

    async def _save(self, lake: LakeRepository, batch: Batch, files: Sequence[LakeFile]) -> None:
        await lake.put_aside(batch.stretch.topic, batch.stretch.partition, batch.aside)
        if files:
            await lake.add_files(files, self._clock())

    async def _compact(self, connection: Connection, lake: LakeRepository, done: Done) -> None:
        """Make one file of each day that is over, and of each to which something came late."""
        before = (self._clock() - self._timing.day_is_over_after).date()
        for day in await lake.list_to_compact(before):
            paths = await lake.paths_of(day)
            file = await self._merge(day, await lake.last_generation(day) + 1, paths)
            self._failpoint("merged")
            async with connection.transaction():
                if await lake.supersede(paths, self._clock()) != len(paths):
                    raise AnotherWriter
                await lake.add_files([file], self._clock())
                self._failpoint("switching")
            self._failpoint("switched")
            meters.FILES.labels("compacted").inc()
            done.compacted += 1

    async def _merge(self, day: Day, generation: int, paths: Sequence[str]) -> LakeFile:
        contents = [await asyncio.to_thread(content_of, self._store, path) for path in paths]
        content, rows = await asyncio.to_thread(merged, day.type, contents)
        file = compacted(day, generation, rows, content)
        await asyncio.to_thread(self._store.put, file.path, content)
        return file

    async def _tell(self, lake: LakeRepository) -> None:
        """Put a manifest for every date whose files have changed; readers take the last one of a date by its name."""
        for on, revision in await lake.list_untold():
            listed = await lake.listed(on)
            told = await asyncio.to_thread(self._put_manifest, on, revision, listed)
            self._failpoint("manifest-put")
            await lake.told(on, told)
            self._failpoint("told")

    def _put_manifest(self, on: date, revision: int, listed: Sequence[ListedFile]) -> int:
        """Put it as the last one of its date and return its revision, a higher one where a lost database had told more."""
        there = self._store.paths(manifest_folder(on))
        last = there[-1] if there else ""
        path, content = manifest_path(on, revision), manifest(on, revision, listed)
        if last > path or (last == path and content_of(self._store, path) != content):
            revision = revision_of(last) + 1
            path, content = manifest_path(on, revision), manifest(on, revision, listed)
        self._store.put(path, content)
        for old in [each for each in there if each != path][: 1 - _MANIFESTS_KEPT]:
            self._store.remove(old)
        return revision

    async def _remove(self, lake: LakeRepository, done: Done) -> None:
        """Remove what a compacted file has replaced, once those who were told of it before have had time to read it."""
        for path in await lake.list_removable(self._clock() - self._timing.superseded_stay):
            await asyncio.to_thread(self._store.remove, path)
            self._failpoint("removed")
            await lake.forget_file(path)
            meters.FILES.labels("removed").inc()
            done.removed += 1


async def _closed(connection: Connection) -> None:
    """Give the lease back; a connection that is broken has lost it already."""
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except (OSError, TimeoutError, PostgresError):
        connection.terminate()
