"""Counting: what a fetch adds to windows is saved in one transaction with how far the log was read, or not at all."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from analytics.clients import meters
from analytics.domain.metric import PLATFORM
from analytics.domain.partitions import Place, Progress, latest_in_clock
from analytics.repository.deltas import DeltaRepository, SeriesKey
from analytics.repository.partitions import PartitionRepository
from analytics.use_cases.people import KINDS as PEOPLE_KINDS
from analytics.use_cases.people import note_people
from analytics.windows.deltas import TenantDeltas, WindowLibrary
from analytics.windows.handled import Change, HandledIds
from bloom_events.glances import Glance
from bloom_events.ids import EventId, TenantId
from service_kit import inbox
from service_kit.consuming_fetches import Taken
from service_kit.database import Connection, Pool
from service_kit.failpoints import Failpoint, no_failpoint
from service_kit.unit_of_work import Clock, utc_now

CONSUMER = "analytics"
"""The name of the consumer group, and the one under which redriven events are remembered."""

FAILPOINTS = ("locked", "counted", "before-commit", "after-commit", "told", "told-after-commit")
"""Where kill tests end the worker: four points of counting, two of telling."""

_PEOPLE_TYPES = frozenset(kind.TYPE for kind in PEOPLE_KINDS)
_MOST_SERIES = 500_000
_SET_TENANT = "select set_config('app.tenant_id', $1, true)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingTools:
    """What counting works with; `tell` hears when windows have changed."""

    pool: Callable[[], Awaitable[Pool]]
    library: WindowLibrary
    clock_drift: timedelta = timedelta(seconds=60)
    allowed_lateness: timedelta = timedelta(seconds=30)
    acquire_seconds: float = 2.0
    clock: Clock = utc_now
    tell: Callable[[datetime], None] = lambda _: None
    failpoint: Failpoint = no_failpoint


@dataclass(slots=True)
class _Known:
    """What is remembered of a partition: it holds as long as the database says the same offset."""

    next_offset: int
    handled: HandledIds


@dataclass(slots=True)
class _Fetch:
    """What a fetch comes to: which events count, and what will be true of each partition once it is saved."""

    fresh: list[Glance] = field(default_factory=list)
    ends: dict[Place, tuple[int, datetime | None]] = field(default_factory=dict)
    changes: dict[Place, Change] = field(default_factory=dict)
    known: dict[Place, _Known] = field(default_factory=dict)
    series: dict[tuple[TenantId, SeriesKey], int] = field(default_factory=dict)


class Counting:
    """Counts fetches. What it remembers only saves questions to the database: whenever it may be old it is asked anew."""

    def __init__(self, tools: CountingTools) -> None:
        self._tools = tools
        self._known: dict[Place, _Known] = {}
        self._series: dict[tuple[TenantId, SeriesKey], int] = {}

    def forget(self) -> None:
        """Give up what is remembered of partitions: others will read them now."""
        self._known.clear()

    async def take(self, taken: Sequence[Taken[Glance]]) -> None:
        """Count the events of a fetch, each once, whoever counted it before; records of a partition are in their order."""
        started, now = time.perf_counter(), self._tools.clock()
        by_place: dict[Place, list[Taken[Glance]]] = defaultdict(list)
        for each in taken:
            by_place[Place(each.record.topic, each.record.partition)].append(each)
        fetch = _Fetch()
        async with self._transaction() as connection:
            partitions = PartitionRepository(connection)
            for place, progress in (await partitions.lock(by_place)).items():
                fetch.known[place] = await self._known_of(partitions, place, progress)
                self._look_through(fetch, place, progress, by_place[place], now)
            self._tools.failpoint("locked")
            await self._add(connection, fetch, now)
            self._tools.failpoint("counted")
            await partitions.remember(fetch.changes)
            await partitions.advance(fetch.ends, now)
            self._tools.failpoint("before-commit")
        self._tools.failpoint("after-commit")
        self._saved(fetch, now)
        meters.COUNTING_SECONDS.observe(time.perf_counter() - started)

    async def take_again(self, taken: Taken[Glance]) -> None:
        """Count an event that was parked before, unless it has been counted since."""
        now, fetch = self._tools.clock(), _Fetch(fresh=[taken.event])
        place = Place(taken.record.topic, taken.record.partition)
        async with self._transaction() as connection:
            partitions = PartitionRepository(connection)
            await partitions.lock([place])
            if taken.event.event_id in HandledIds(await partitions.handled(place)):
                return
            if await inbox.first_time(connection, CONSUMER, EventId(UUID(bytes=taken.event.event_id))):
                await self._add(connection, fetch, now)
        self._saved(fetch, now)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        pool = await self._tools.pool()
        async with pool.acquire(timeout=self._tools.acquire_seconds) as connection, connection.transaction():
            yield connection

    async def _known_of(self, partitions: PartitionRepository, place: Place, progress: Progress) -> _Known:
        known = self._known.get(place)
        if known is None or known.next_offset != progress.next_offset:
            known = _Known(progress.next_offset, HandledIds(await partitions.handled(place)))
        return known

    def _look_through(
        self, fetch: _Fetch, place: Place, progress: Progress, taken: Sequence[Taken[Glance]], now: datetime
    ) -> None:
        """Find the events of a partition that were not counted yet, and what they make of it."""
        handled, is_off = fetch.known[place].handled, inbox.is_switched_off()
        found: dict[bytes, Glance] = {}
        passed = 0
        for record, event in taken:
            event_id = event.event_id
            if record.offset < progress.next_offset and not is_off:
                passed += 1
            elif is_off or event_id not in handled:
                found[event_id if not is_off else record.offset.to_bytes(16)] = event
        last_offset = taken[-1].record.offset
        if passed < len(taken):
            times = [event.time for event in found.values()]
            fetch.ends[place] = (last_offset + 1, latest_in_clock(times, now + self._tools.clock_drift))
            self._note(progress, times, now)
        if found:
            fetch.changes[place] = handled.change_for(b"".join(found), last_offset)
        meters.REPEATED.labels("offset").inc(passed)
        meters.REPEATED.labels("id").inc(len(taken) - passed - len(found))
        fetch.fresh.extend(found.values())

    def _note(self, progress: Progress, times: Iterable[datetime], now: datetime) -> None:
        latest = now + self._tools.clock_drift
        closed = progress.watermark - self._tools.allowed_lateness if progress.watermark else None
        for at in times:
            if at > latest:
                meters.FUTURE.inc()
            elif closed is not None and at < closed:
                meters.LATE.inc()

    async def _add(self, connection: Connection, fetch: _Fetch, now: datetime) -> None:
        """Add to the windows of every tenant, and to the projections."""
        deltas = self._tools.library.deltas_of(fetch.fresh)
        # Always the same order, so that no two workers wait for each other; the platform's rows, which all want, come last.
        for tenant_id in sorted(deltas, key=lambda each: (each == PLATFORM, each)):
            await connection.execute(_SET_TENANT, str(tenant_id))
            await self._add_of_tenant(connection, fetch, tenant_id, deltas[tenant_id], now)
        for tenant_id, happenings in _about_people(fetch.fresh):
            await connection.execute(_SET_TENANT, str(tenant_id))
            await note_people(connection, happenings)

    async def _add_of_tenant(
        self, connection: Connection, fetch: _Fetch, tenant_id: TenantId, deltas: TenantDeltas, now: datetime
    ) -> None:
        repository = DeltaRepository(connection)
        wanted = {(key.metric, key.dimensions) for key in deltas}
        ids = {key: self._series[tenant_id, key] for key in wanted if (tenant_id, key) in self._series}
        if missing := sorted(wanted - ids.keys()):
            made = await repository.series_ids(missing)
            ids |= made
            fetch.series |= {(tenant_id, key): number for key, number in made.items()}
        await repository.add(deltas, ids, now)
        meters.WINDOWS_CHANGED.observe(len(deltas))

    def _saved(self, fetch: _Fetch, now: datetime) -> None:
        """Remember what is in the database now."""
        for place, (next_offset, _) in fetch.ends.items():
            known = fetch.known[place]
            if change := fetch.changes.get(place):
                known.handled.apply(change)
            known.next_offset = next_offset
            self._known[place] = known
        if len(self._series) + len(fetch.series) > _MOST_SERIES:
            self._series.clear()
        self._series |= fetch.series
        meters.COUNTED.inc(len(fetch.fresh))
        self._tools.tell(now)


def _about_people(glances: Iterable[Glance]) -> Iterable[tuple[TenantId, list[Glance]]]:
    found: dict[TenantId, list[Glance]] = defaultdict(list)
    for each in glances:
        if each.type in _PEOPLE_TYPES:
            found[each.tenant_id].append(each)
    return sorted(found.items())
