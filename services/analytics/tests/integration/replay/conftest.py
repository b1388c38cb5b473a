"""A replay beside the engine: it reads the log in memory that the engine's worker counts, and has a connection of its own."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr
from services.analytics.tests.integration.conftest import Engine, Log, zone_of

from analytics.domain.metrics import METRICS
from analytics.domain.partitions import Place as Partition
from analytics.repository.replay import connect
from analytics.use_cases.replay import read_models
from bloom_events.topics import TOPICS
from local_stack.postgres import ServiceDatabase
from service_kit.consuming import LogRecord
from service_kit.log_reader import Place
from service_kit.replaying import Positions, ReadModel, ReadModels, Replayed, places_from, replay

PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}


class ReplayLog:
    """The engine's log as a replay reads it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.read_from: list[tuple[str, int, int]] = []

    def ends(self, topics: Sequence[str]) -> Positions:
        return {place: len(self._records(place)) for place in self._places(topics)}

    def starts(self, topics: Sequence[str], since: datetime) -> Positions:
        since_ms = since.timestamp() * 1000
        return {
            place: next((r.offset for r in self._records(place) if r.timestamp >= since_ms), len(self._records(place)))
            for place in self._places(topics)
        }

    def read(self, topic: str, partition: int, first: int, until: int, limit: int) -> tuple[list[LogRecord], int]:
        self.read_from.append((topic, partition, first))
        found = self._records(Place(topic, partition))[first : min(until, first + min(limit, 50))]
        return found, first + len(found)

    def _places(self, topics: Sequence[str]) -> list[Place]:
        return [Place(topic, number) for topic in topics for number in range(PARTITIONS[topic])]

    def _records(self, place: Place) -> list[Any]:
        return [taken.record for taken in self._log.records[Partition(*place)]]


class Rebuilding:
    """Replays by name on the engine's database."""

    def __init__(self, database: ServiceDatabase, log: Log) -> None:
        self.models: ReadModels = read_models(METRICS, zone_of, lambda: connect(SecretStr(database.app_url)))
        self.log = ReplayLog(log)

    def open(self, name: str, since: datetime | None = None) -> AbstractAsyncContextManager[ReadModel]:
        return self.models.open(name, since)

    async def __call__(
        self, name: str, since: datetime | None = None, *, swap: bool = False, show: Callable[..., None] = lambda _: None
    ) -> Replayed:
        async with self.open(name, since) as model:
            return await replay(model, self.log, await places_from(self.log, model.topics, since), swap=swap, show=show)


@pytest.fixture
def rebuilding(database: ServiceDatabase, engine: Engine, log: Log) -> Rebuilding:
    return Rebuilding(database, log)
