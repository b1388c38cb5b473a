"""A migrated database, a log kept in memory, and the engine on both: it counts, tells, and can be compared with one batch."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from analytics.domain.metrics import METRICS
from analytics.domain.partitions import Place
from analytics.use_cases.counting import Counting, CountingTools
from analytics.use_cases.publishing import Publishing, PublishingTools
from analytics.windows.contents import Contents
from analytics.windows.deltas import WindowKey, WindowLibrary
from bloom_events.envelope import Envelope, to_kafka
from bloom_events.glances import Glance, glance
from bloom_events.ids import TenantId, new_id
from bloom_events.topics import TOPICS
from local_stack.postgres import ServiceDatabase
from service_kit.consuming import LogRecord
from service_kit.consuming_fetches import Taken
from service_kit.database import Pool, create_pool
from service_kit.testing import FixedClock, as_tenant
from service_kit.unit_of_work import Context, UnitOfWork

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
LATENESS, IDLE = timedelta(seconds=30), timedelta(seconds=10)


class Log:
    """A log with places in memory: events of an aggregate go to one partition, in their order."""

    def __init__(self) -> None:
        self.records: dict[Place, list[Taken[Glance]]] = defaultdict(list)

    def append(self, envelope: Envelope[Any], partition: int | None = None) -> Taken[Glance]:
        message = to_kafka(envelope)
        place = Place(message.topic, envelope.data.aggregate_id.int % 6 if partition is None else partition)
        return self._keep(LogRecord(*place, 0, message.timestamp_ms, message.key, message.value, message.headers))

    def again(self, taken: Taken[Glance]) -> Taken[Glance]:
        """Append the same event to the same partition, as a relay does that was killed."""
        assert isinstance(taken.record, LogRecord)
        return self._keep(taken.record)

    def _keep(self, record: LogRecord) -> Taken[Glance]:
        records = self.records[Place(record.topic, record.partition)]
        taken = Taken(record._replace(offset=len(records)), glance(record.headers, record.value))
        records.append(taken)
        return taken

    def extend(self, envelopes: Iterable[Envelope[Any]], partition: int | None = None) -> list[Taken[Glance]]:
        return [self.append(envelope, partition) for envelope in envelopes]


def zone_of(_: UUID) -> ZoneInfo:
    return ZoneInfo("UTC")


class Engine:
    """One worker's counting and telling on a pool of the application's role; `another()` is a second worker."""

    def __init__(self, pool: Pool, clock: FixedClock) -> None:
        self.pool, self.clock = pool, clock
        self.library = WindowLibrary(METRICS.values(), zone_of)
        self.counting = Counting(
            CountingTools(pool=self._pool, library=self.library, clock=clock, clock_drift=timedelta(minutes=1))
        )
        self.publishing = Publishing(
            PublishingTools(
                pool=self._pool,
                unit_of=self._unit_of,
                metrics=METRICS,
                zone_of=zone_of,
                idle=IDLE,
                allowed_lateness=LATENESS,
            )
        )

    def another(self) -> "Engine":
        return Engine(self.pool, self.clock)

    async def read_to_the_end(self) -> None:
        """Say that every partition was read to its end at this moment."""
        places = [Place(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
        await self.publishing.note_caught_up(dict.fromkeys(places, self.clock()))

    async def tell(self) -> None:
        await self.publishing.publish_due(self.clock())

    async def rows(self, query: str, *parameters: object, tenant_id: UUID) -> list[dict[str, Any]]:
        async with as_tenant(self.pool, tenant_id) as connection:
            # Tables that were just filled have no statistics yet.
            await connection.execute("set local enable_seqscan = off")
            return [dict(row) for row in await connection.fetch(query, *parameters)]

    async def windows(self, tenant_id: UUID) -> dict[WindowKey, Contents]:
        """What the tables hold of a tenant, windows that were put away included."""
        found: dict[WindowKey, Contents] = defaultdict(Contents)
        for table in ("windows", "closed_windows"):
            for row in await self.rows(_CONTENTS[table], tenant_id=tenant_id):
                key = WindowKey(row["metric"], row["dimensions"], row["span"], row["starts_at"])
                buckets = {int(bucket): n for bucket, n in (row["buckets"] or {}).items()}
                packed = row["members"] or b""
                members = frozenset(packed[at : at + 16] for at in range(0, len(packed), 16))
                found[key] += Contents(row["n"], row["total"], buckets, members)
        return dict(found)

    def batch(self, events: Sequence[Envelope[Any] | Glance], tenant_id: UUID) -> dict[WindowKey, Contents]:
        """What the windows of a tenant have to be: all distinct events at once."""
        distinct = {each.event_id if isinstance(each, Glance) else each.id.bytes: each for each in events}
        deltas = WindowLibrary(METRICS.values(), zone_of).deltas_of(distinct.values())
        return {key: delta.contents() for key, delta in deltas.get(TenantId(tenant_id), {}).items()}

    async def _pool(self) -> Pool:
        return self.pool

    async def _unit_of(self, tenant_id: TenantId) -> UnitOfWork:
        return UnitOfWork(self.pool, source="/bloom/analytics", context=Context(tenant_id, new_id()), clock=self.clock)


_PARTS = """(select jsonb_object_agg(b.bucket::text, b.n) from window_buckets b
        where (b.series_id, b.span, b.starts_at) = (w.series_id, w.span, w.starts_at)) as buckets,
    (select string_agg(m.member, '') from window_members m
        where (m.series_id, m.span, m.starts_at) = (w.series_id, w.span, w.starts_at)) as members"""
_SUMS = "select s.metric, s.dimensions, w.span, w.starts_at, w.n, w.total"
_CONTENTS = {
    "windows": f"{_SUMS}, {_PARTS} from windows w join series s on s.id = w.series_id",
    "closed_windows": f"{_SUMS}, w.buckets, w.members from closed_windows w join series s on s.id = w.series_id",
}


@pytest.fixture(scope="module")
def database(service_database: Callable[..., ServiceDatabase]) -> ServiceDatabase:
    return service_database("analytics")


@pytest.fixture
async def owner(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.owner_url), size=2, application_name="analytics-tests-owner")
    yield pool
    await pool.close()


@pytest.fixture
async def pool(database: ServiceDatabase, owner: Pool) -> AsyncIterator[Pool]:
    """The application's connections to tables in which nothing is left of other tests."""
    await owner.execute(
        "truncate partitions, handled_batches, series, windows, window_buckets, window_members, closed_windows, people, sessions,"
        " inbox, outbox"
    )
    pool = await create_pool(SecretStr(database.app_url), size=8, application_name="analytics-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def told(database: ServiceDatabase) -> AsyncIterator[Callable[[UUID], Awaitable[list[dict[str, Any]]]]]:
    """Reads, as the relay does, what was published of a tenant, in order: type, headers and fields."""
    pool = await create_pool(SecretStr(database.relay_url), size=2, application_name="analytics-tests-relay")

    async def events_of(tenant_id: UUID) -> list[dict[str, Any]]:
        rows = await pool.fetch("select type, headers, payload from outbox where tenant_id = $1 order by id", tenant_id)
        return [{"type": row["type"], **json.loads(row["headers"]), **json.loads(row["payload"])} for row in rows]

    yield events_of
    await pool.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def engine(pool: Pool, clock: FixedClock) -> Engine:
    return Engine(pool, clock)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture(scope="session")
def parts() -> tuple[type[Engine], type[Log]]:
    """What a test needs that makes engines and logs by itself."""
    return Engine, Log
