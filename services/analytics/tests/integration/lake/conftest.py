"""A lake on real servers: events are published to Kafka, rounds write them, and DuckDB reads what the manifests name."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import duckdb
import pytest
from confluent_kafka import Producer
from pydantic import SecretStr

from analytics.domain.lake.fields import LAKE_TOPICS, LAKE_TYPES
from analytics.domain.lake.rows import Pseudonyms, Rows
from analytics.repository.lake import connect
from analytics.use_cases.lake import Done, Lake, Timing
from bloom_events.appointments import AppointmentBooked, VisitType
from bloom_events.envelope import Envelope, to_kafka, wrap
from bloom_events.event import Event
from bloom_events.ids import TenantId, new_id
from local_stack.objects import ObjectStore as S3Server
from local_stack.postgres import ServiceDatabase
from service_kit.log_reader import LogReader
from service_kit.object_store.folder import FolderStore
from service_kit.object_store.opening import open_store
from service_kit.object_store.port import ObjectStore, StoreAccess, content_of
from service_kit.testing import FixedClock

NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
KEY = b"k" * 32
DOCUMENT = Path(__file__).parents[5] / "docs/lake.md"


@dataclass
class Shore:
    """One lake: its database, its store, and the log, of which it begins to read where the log ended before."""

    database: ServiceDatabase
    bootstrap: str
    store: ObjectStore
    address: str
    access: Mapping[str, str]
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    tenant_id: TenantId = field(default_factory=lambda: TenantId(uuid4()))
    published: list[Envelope[Any]] = field(default_factory=list)
    timing: Timing = field(default_factory=lambda: Timing(batch_records=1000))

    async def begin_at_the_end(self) -> None:
        reader = LogReader(self.bootstrap, name="tests")
        ends = reader.ends([topic.name for topic in LAKE_TOPICS])
        reader.close()
        statement = "insert into lake_positions values ($1, $2, $3)"
        await self.execute_many(statement, [(*place, end) for place, end in ends.items()])

    async def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        connection = await asyncpg.connect(self.database.app_url)
        await connection.executemany(statement, rows)
        await connection.close()

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.database.app_url)
        rows: list[Any] = await connection.fetch(statement, *arguments)
        await connection.close()
        return rows

    def lake(self, **given: Any) -> "OpenLake":
        return OpenLake(self, given)

    def booked(self, at: datetime = NOW, **facts: Any) -> Envelope[AppointmentBooked]:
        given = {
            "appointment_id": new_id(), "revision": 1, "patient_id": new_id(), "therapist_id": new_id(),
            "visit_type": VisitType.STANDARD, "starts_at": at + timedelta(days=1), "ends_at": at + timedelta(days=1, hours=1),
        }  # fmt: skip
        return self.told(AppointmentBooked(**{**given, **facts}), at)

    def told(self, event: Event, at: datetime = NOW) -> Envelope[Any]:
        return wrap(event, source="/bloom/tests", tenant_id=self.tenant_id, time=at, correlation_id=new_id())

    def publish(self, *envelopes: Envelope[Any]) -> None:
        """Put events into the log; publishing one again is what a relay does that was killed."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        for envelope in envelopes:
            message = to_kafka(envelope)
            producer.produce(message.topic, message.value, message.key, headers=message.headers, timestamp=message.timestamp_ms)
        assert producer.flush(30) == 0
        self.published += [envelope for envelope in envelopes if envelope not in self.published]

    def publish_raw(self, topic: str, headers: Sequence[tuple[str, bytes]], value: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        producer.produce(topic, value, headers=list(headers))
        assert producer.flush(30) == 0

    def command(self, *, failpoint: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m analytics lake --once` as operators do."""
        environment = {
            "ANALYTICS_ENVIRONMENT": "test",
            "ANALYTICS_DATABASE_URL": self.database.app_url,
            "ANALYTICS_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "ANALYTICS_LAKE_KEY": base64.b64encode(KEY).decode(),
            "ANALYTICS_LAKE_STORE": self.address,
            "ANALYTICS_LAKE_FAILPOINT": failpoint,
            "ANALYTICS_LAKE_DAY_OVER_SECONDS": "0",
            "ANALYTICS_LAKE_SUPERSEDED_SECONDS": "0",
            **self.access,
            **variables,
        }
        command = [sys.executable, "-m", "analytics", "lake", "--once"]
        return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)

    def manifest(self, on: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(content_of(self.store, self.store.paths(f"manifests/date={on}/")[-1]))
        return found

    def listed(self) -> set[str]:
        """Every file that the newest manifest of its date names."""
        newest: dict[str, str] = {}
        for path in self.store.paths("manifests/"):
            newest[path.rpartition("/")[0]] = path
        return {file["path"] for path in newest.values() for file in json.loads(content_of(self.store, path))["files"]}

    def data(self) -> set[str]:
        return set(self.store.paths("type="))


class OpenLake:
    """A lake whose log is closed again: `async with shore.lake() as lake`."""

    def __init__(self, shore: Shore, given: dict[str, Any]) -> None:
        self._shore, self._given = shore, given
        self._reader = LogReader(shore.bootstrap, name="tests")

    async def __aenter__(self) -> Lake:
        shore = self._shore
        given = {"timing": shore.timing, "clock": shore.clock, **self._given}
        store = given.pop("store", shore.store)
        url = SecretStr(shore.database.app_url)
        return Lake(self._reader, store, Rows(Pseudonyms(KEY)), lambda: connect(url), **given)

    async def __aexit__(self, *_: object) -> None:
        self._reader.close()


@dataclass
class Documented:
    """The statements that docs/lake.md gives to users of DuckDB, on a lake in a folder."""

    root: Path

    def query(self) -> list[tuple[Any, ...]]:
        text = DOCUMENT.read_text().partition("## DuckDB\n\n```sql\n")[2].partition("```")[0]
        with duckdb.connect() as connection:
            return connection.execute(text.replace("s3://bloom-lake", str(self.root))).fetchall()

    def rows(self, wire_type: str) -> list[dict[str, Any]]:
        """Every row of a type that the manifests name."""
        if not any((self.root / "manifests").glob("*/*.json")):
            return []
        setting = DOCUMENT.read_text().partition("## DuckDB\n\n```sql\n")[2].partition("select date")[0]
        setting = setting.replace("s3://bloom-lake", str(self.root)).replace("appointment.booked.v1", wire_type)
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(setting)
            if connection.execute("select getvariable('booked')").fetchall() == [(None,)]:
                return []
            read = "select * from read_parquet(getvariable('booked'), hive_partitioning = true, union_by_name = true)"
            return connection.sql(read).to_arrow_table().to_pylist()

    def ids(self) -> list[UUID]:
        """The id of every row of every type."""
        return [UUID(row["event_id"]) for wire_type in LAKE_TYPES for row in self.rows(wire_type)]


@pytest.fixture(scope="module")
def make_database(service_database: Callable[..., ServiceDatabase]) -> Callable[[], ServiceDatabase]:
    return lambda: service_database("analytics")


@pytest.fixture
async def shore(make_database: Callable[[], ServiceDatabase], kafka_topics: str, tmp_path: Path) -> Shore:
    """A lake in a folder."""
    folder = tmp_path / "lake"
    opened = Shore(make_database(), kafka_topics, FolderStore(folder), str(folder), {})
    await opened.begin_at_the_end()
    return opened


@pytest.fixture
def documented(shore: Shore) -> Documented:
    return Documented(Path(shore.address))


@pytest.fixture
async def bucket_shore(make_database: Callable[[], ServiceDatabase], kafka_topics: str, object_store: S3Server) -> Shore:
    """A lake in the bucket of the object store, below a prefix of its own."""
    access = StoreAccess(
        endpoint=object_store.url,
        region="us-east-1",
        access_key=SecretStr(object_store.access_key),
        secret_key=SecretStr(object_store.secret_key),
    )
    address = f"s3://bloom-lake/{uuid4()}"
    told = {
        "ANALYTICS_LAKE_STORE_ENDPOINT": object_store.url,
        "ANALYTICS_LAKE_STORE_ACCESS_KEY": object_store.access_key,
        "ANALYTICS_LAKE_STORE_SECRET_KEY": object_store.secret_key,
    }
    opened = Shore(make_database(), kafka_topics, open_store(address, access), address, told)
    await opened.begin_at_the_end()
    return opened


def settled(done: Done | None) -> Done:
    assert done is not None, "another process is writing the lake"
    return done
