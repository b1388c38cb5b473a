"""Who counts a topic faster from its beginning to its end: analytics' worker, a Kafka Streams topology, or Faust's own table."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition
from tests.bench import streams_engine
from tests.bench.window_load import TOPIC, Shape, produce
from tests.faults.lab import World
from tests.faults.row import until

from service_kit.database import Connection

POSTGRES = {"max_connections": "100", "shared_buffers": "512MB", "max_wal_size": "4GB"}
_LIMIT_SECONDS = 600.0
_LOOK_SECONDS = 0.05
# The sums of tenants and of all come on top. Whoever publishes puts windows away too, as soon as partitions have been silent.
_COUNTED = """
    select coalesce(sum(n), 0)::bigint, count(distinct (series_id, starts_at))
    from (select series_id, starts_at, n from windows union all select series_id, starts_at, n from closed_windows) as told
    join series on series.id = series_id where dimensions <> '{}'
"""
_UNTOLD = "select (select count(*) from windows where changed_at is not null) + (select count(*) from outbox)"
_numbers = itertools.count(1)

Position = Callable[[], Awaitable[int]]


@dataclass
class Race:
    """A topic full of events, and whoever counts them; `tables` is a superuser's connection to analytics' database."""

    world: World
    tables: Connection
    shape: Shape
    windows: int = 0
    """How many windows the events fall into."""

    @classmethod
    async def prepared(cls, world: World, shape: Shape) -> Race:
        """The race, with its events on the topic."""
        await world.database("analytics")
        await asyncio.to_thread(produce, world.kafka.bootstrap, shape)
        return cls(world, await world.superuser("analytics"), shape)

    async def ours(self) -> float:
        """Events per second of our worker, whose windows and offsets are in PostgreSQL."""
        return await self._ours([], self._read)

    async def ours_telling(self) -> float:
        """The same until the newest state of every window is on the topic of results; somebody has to run the relay."""

        async def told() -> int:
            read = await self._read()
            return read if read < self.shape.events else read - await self.tables.fetchval(_UNTOLD)

        return await self._ours(["tells"], told)

    async def _ours(self, how: Sequence[str], position: Position) -> float:
        await self.tables.execute("truncate partitions, handled_batches, series, windows, closed_windows, outbox cascade")
        group = f"bench-analytics-{next(_numbers)}"
        environment = {
            **os.environ,
            "ANALYTICS_ENVIRONMENT": "test",
            "ANALYTICS_DATABASE_URL": self.world.databases["analytics"].app_url,
            "ANALYTICS_KAFKA_BOOTSTRAP_SERVERS": self.world.kafka.bootstrap,
        }
        async with program(["-m", "tests.bench.windows_worker", group, *how], environment):
            rate = await self._rate(position)
        found = await self.tables.fetchrow(_COUNTED)
        assert found is not None, "a sum always gives a row"
        counted, windows = found
        if counted != self.shape.events:
            raise RuntimeError(f"{counted} events were counted of {self.shape.events}")
        self.windows = windows
        return rate

    async def streams(self, *, results: str | None = None) -> float:
        """Events per second of Kafka Streams, exactly once, with RocksDB; `results` is a topic for the counts."""
        application = f"bench-streams-{next(_numbers)}"
        folder = self.world.folder / application
        bootstrap = self.world.kafka.bootstrap
        try:
            with streams_engine.running(
                bootstrap=bootstrap, topic=TOPIC, application=application, folder=folder, results=results
            ):
                return await self._rate(lambda: asyncio.to_thread(_committed, bootstrap, application))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def faust_table(self) -> float:
        """Events per second of Faust's own tumbling table."""
        application = f"bench-faust-{next(_numbers)}"
        arguments = ["-m", "tests.bench.faust_table", self.world.kafka.bootstrap, TOPIC, application]
        async with program(arguments, os.environ):
            return await self._rate(lambda: asyncio.to_thread(_committed, self.world.kafka.bootstrap, application))

    async def _read(self) -> int:
        return int(await self.tables.fetchval("select coalesce(sum(next_offset), 0) from partitions where topic = $1", TOPIC))

    async def _rate(self, position: Position) -> float:
        """Events per second from the first that were saved to the last, as far as the start of a program may be left out."""
        begun, first, seen = time.monotonic(), 0, 0

        async def is_done() -> bool:
            nonlocal begun, first, seen
            seen = await position()
            if seen and not first and seen < self.shape.events:
                begun, first = time.monotonic(), seen
            return seen >= self.shape.events

        await until(is_done, seconds=_LIMIT_SECONDS, what="the end of the topic", pause=_LOOK_SECONDS)
        return (self.shape.events - first) / (time.monotonic() - begun)


@asynccontextmanager
async def program(arguments: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python program, killed when the block ends."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=dict(environment))
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _committed(bootstrap: str, group: str) -> int:
    """How many records of the topic a group has acknowledged."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0})
    try:
        partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        places = consumer.committed([TopicPartition(TOPIC, number) for number in partitions], timeout=10)
        return sum(max(0, place.offset) for place in places)
    except KafkaException:
        # The group's coordinator is chosen when somebody first asks for it.
        return 0
    finally:
        consumer.close()
