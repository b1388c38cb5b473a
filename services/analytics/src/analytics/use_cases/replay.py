"""What of analytics can be replayed: the series of each metric, and the projections of people and sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

from analytics.domain.metric import Metric
from analytics.domain.partitions import Place as Partition
from analytics.domain.partitions import topics_of
from analytics.repository.deltas import DeltaRepository
from analytics.repository.partitions import PartitionRepository
from analytics.repository.replay import ShadowRepository, WindowDifference
from analytics.use_cases.people import note_people
from analytics.windows.deltas import TenantDeltas, WindowLibrary, ZoneOf
from analytics.windows.handled import HandledIds
from bloom_events.auth import SessionRevoked, SessionStarted, UserRegistered
from bloom_events.event import Event
from bloom_events.glances import Glance, glance
from bloom_events.ids import TenantId
from bloom_events.registry import UnknownEventType, UnreadableEvent
from bloom_events.topics import Topic
from service_kit.consuming import LogRecord
from service_kit.database import Connection
from service_kit.log_reader import Place
from service_kit.replaying import Difference, Make, Positions, ReadModels
from service_kit.unit_of_work import utc_now

Connect: TypeAlias = Callable[[], Awaitable[Connection]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOSE_SECONDS = 2.0
PROJECTIONS: Mapping[str, tuple[type[Event], ...]] = {
    "people": (UserRegistered,),
    "sessions": (SessionStarted, SessionRevoked),
}
"""The tables that are rebuilt as a whole, with the events that they are made of."""


class ReplayRefused(Exception):  # noqa: N818  # named for what is said
    """It cannot be replayed in this way, or not now."""


class _Shadowed:
    """What all models have in common: shadows in PostgreSQL, and the worker's own record of how far it has come."""

    def __init__(self, name: str, topics: Iterable[Topic], connection: Connection) -> None:
        self.name = name
        self._topics = sorted(topics, key=lambda topic: topic.name)
        self.topics = [topic.name for topic in self._topics]
        self._connection = connection
        self._shadows = ShadowRepository(connection)

    async def shadow(self) -> None:
        """Empty the shadows, which only one replay at a time may use."""
        if not await self._shadows.take_turn():
            raise ReplayRefused("another replay is under way")
        await self._shadows.empty()

    async def positions(self) -> Positions:
        """How far the worker has come."""
        return {Place(*place): offset for place, offset in (await self._shadows.positions(self.topics)).items()}

    @asynccontextmanager
    async def held(self, *, for_swap: bool) -> AsyncIterator[None]:
        """A snapshot, or the worker's own lock on its partitions."""
        async with self._connection.transaction(isolation="read_committed" if for_swap else "repeatable_read"):
            if for_swap:
                places = [Partition(topic.name, number) for topic in self._topics for number in range(topic.partitions)]
                await PartitionRepository(self._connection).lock(places)
            yield

    async def _each_tenant(self) -> AsyncIterator[TenantId]:
        """Every tenant that has something of the model, with its rows in sight."""
        for tenant_id in await self._shadows.tenants_of(self.name):
            await self._shadows.set_tenant(tenant_id)
            yield tenant_id


class SeriesModel(_Shadowed):
    """The windows of a metric that begin at a moment or later; all their events are from then or later, too."""

    def __init__(self, metric: Metric, since: datetime | None, zone_of: ZoneOf, connection: Connection) -> None:
        super().__init__(metric.name, topics_of(metric), connection)
        self._since = since or _EPOCH
        self._types = frozenset(kind.TYPE for kind in metric.reads)
        self._library = WindowLibrary([metric], zone_of)
        self._handled: dict[Place, HandledIds] = {}
        self._found: dict[TenantId, list[WindowDifference]] = {}

    async def apply(self, records: Sequence[LogRecord]) -> None:
        """Add to the shadow windows by the worker's own statements, each event once."""
        fresh = self._fresh(records)
        async with self._connection.transaction():
            for tenant_id, deltas in sorted(self._library.deltas_of(fresh).items()):
                if wanted := {key: delta for key, delta in deltas.items() if key.start >= self._since}:
                    await self._add(tenant_id, wanted)

    async def compare(self) -> list[Difference]:
        """The windows that are not what the log gives."""
        self._found = {
            tenant_id: found
            async for tenant_id in self._each_tenant()
            if (found := await self._shadows.windows_that_differ(self.name, self._since))
        }
        return [_told(tenant_id, each) for tenant_id, found in self._found.items() for each in found]

    async def swap(self) -> None:
        """Correct the live windows that `compare` found; the worker tells of each again, in its next revision."""
        for tenant_id, found in self._found.items():
            await self._shadows.set_tenant(tenant_id)
            await self._shadows.swap_windows(self.name, found)

    def _fresh(self, records: Sequence[LogRecord]) -> list[Glance]:
        """The metric's events, without those that the worker would know to have counted."""
        if not records:
            return []
        place = Place(records[0].topic, records[0].partition)
        handled = self._handled.setdefault(place, HandledIds())
        found = {each.event_id: each for each in glances_of(records) if each.type in self._types and each.event_id not in handled}
        if found:
            handled.apply(handled.change_for(b"".join(found), records[-1].offset))
        return list(found.values())

    async def _add(self, tenant_id: TenantId, deltas: TenantDeltas) -> None:
        await self._shadows.set_tenant(tenant_id)
        repository = DeltaRepository(self._connection)
        ids = await repository.series_ids(sorted({(key.metric, key.dimensions) for key in deltas}))
        await repository.add(deltas, ids, utc_now())


class ProjectionModel(_Shadowed):
    """The table `people` or `sessions`, as a whole: its rows are facts that may come in any order and twice."""

    def __init__(self, name: str, connection: Connection) -> None:
        kinds = PROJECTIONS[name]
        super().__init__(name, {kind.TOPIC for kind in kinds}, connection)
        self._types = frozenset(kind.TYPE for kind in kinds)
        self._found: dict[TenantId, list[Any]] = {}

    async def apply(self, records: Sequence[LogRecord]) -> None:
        """Write what the events say into the shadow, by the worker's own statements."""
        by_tenant: dict[TenantId, list[Glance]] = defaultdict(list)
        for each in glances_of(records):
            if each.type in self._types:
                by_tenant[each.tenant_id].append(each)
        async with self._connection.transaction():
            for tenant_id, happenings in sorted(by_tenant.items()):
                await self._shadows.set_tenant(tenant_id)
                await note_people(self._connection, happenings)

    async def compare(self) -> list[Difference]:
        """The rows that are not what the log gives."""
        self._found = {
            tenant_id: found
            async for tenant_id in self._each_tenant()
            if (found := await self._shadows.rows_that_differ(self.name))
        }
        return [
            Difference(f"{tenant_id} {row['id']}", row["live"] or "nothing", row["rebuilt"] or "nothing")
            for tenant_id, found in self._found.items()
            for row in found
        ]

    async def swap(self) -> None:
        """Make the live rows that `compare` found what the log gives."""
        for tenant_id, found in self._found.items():
            await self._shadows.set_tenant(tenant_id)
            await self._shadows.swap_rows(self.name, [row["id"] for row in found])


def read_models(metrics: Mapping[str, Metric], zone_of: ZoneOf, connect: Connect) -> ReadModels:
    """Everything of analytics that can be replayed."""
    models = ReadModels()
    for metric in metrics.values():
        models.register(metric.name, _series(metric, zone_of, connect))
    for name in PROJECTIONS:
        models.register(name, _projection(name, connect))
    return models


def glances_of(records: Iterable[LogRecord]) -> Iterator[Glance]:
    """The events that can be read; the worker has parked the others, or skipped them."""
    for record in records:
        try:
            yield glance(record.headers, record.value)
        except (UnknownEventType, UnreadableEvent):
            continue


def _series(metric: Metric, zone_of: ZoneOf, connect: Connect) -> Make:
    @asynccontextmanager
    async def opened(since: datetime | None) -> AsyncIterator[SeriesModel]:
        async with _closing(connect) as connection:
            yield SeriesModel(metric, since, zone_of, connection)

    return opened


def _projection(name: str, connect: Connect) -> Make:
    @asynccontextmanager
    async def opened(since: datetime | None) -> AsyncIterator[ProjectionModel]:
        if since is not None:
            raise ReplayRefused(f"{name} is rebuilt as a whole: leave FROM out")
        async with _closing(connect) as connection:
            yield ProjectionModel(name, connection)

    return opened


@asynccontextmanager
async def _closing(connect: Connect) -> AsyncIterator[Connection]:
    connection = await connect()
    try:
        yield connection
    finally:
        await connection.close(timeout=_CLOSE_SECONDS)


def _told(tenant_id: TenantId, found: WindowDifference) -> Difference:
    where = f"{tenant_id} {found.dimensions} {found.span} {found.starts_at.isoformat()}"
    spread = " spread otherwise" if found.buckets_differ else ""
    members = " other members" if found.members_differ else ""
    return Difference(where, f"{found.live_n}, {found.live_total}", f"{found.n}, {found.total}{spread}{members}")
