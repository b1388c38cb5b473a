"""The engine against a model: whatever happens in whatever order, the end is what one batch gives, told with one first final."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from pydantic import SecretStr

from analytics.domain.metric import PLATFORM
from analytics.domain.metrics import METRICS
from analytics.domain.partitions import Place
from analytics.windows.contents import told
from analytics.windows.deltas import WindowKey
from bloom_events.topics import TOPICS
from service_kit.database import create_pool
from service_kit.testing import FixedClock

START = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
EVERY_TABLE = (
    "truncate partitions, handled_batches, series, windows, window_buckets, window_members, closed_windows, people, sessions,"
    " inbox, outbox"
)
PARTITIONS = 2
pytestmark = pytest.mark.timeout(300)

kinds = st.sampled_from(["booked", "signed_in", "paid", "missed"])
minutes = st.one_of(st.integers(0, 3), st.sampled_from([-4000, -70, 30]))
workers = st.integers(0, 1)


class Machine(RuleBasedStateMachine):
    """Two workers, a log of two partitions a topic, and a clock; every step may come at any time."""

    database: Any
    parts: Any
    tenant_of: Callable[[int], Any]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.events: list[Any] = []
        self.positions: Counter[Place] = Counter()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        engine_of, log_of = self.parts
        self.clock, self.log = FixedClock(START), log_of()
        self.pool = self.run(create_pool(SecretStr(self.database.app_url), size=3, application_name="analytics-machine"))
        self.run(self._as(self.database.owner_url, EVERY_TABLE))
        self.workers = [engine_of(self.pool, self.clock) for _ in range(2)]

    @rule(what=kinds, minute=minutes, tenant=st.integers(0, 1), who=st.integers(0, 1), partition=st.integers(0, PARTITIONS - 1))
    def something_happens(self, what: str, minute: int, tenant: int, who: int, partition: int) -> None:
        happened, at = self.tenant_of(tenant), self.clock() - timedelta(minutes=minute)
        if what == "paid":
            event = happened.paid(at, who * 1000)
        elif what == "booked":
            event = happened.booked(at, UUID(int=who), lead=timedelta(minutes=who))
        else:
            event = getattr(happened, what)(at, UUID(int=who))
        self.events.append(event)
        self.log.append(event, partition)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def a_relay_sends_it_again(self, data: st.DataObject) -> None:
        self.log.again(data.draw(st.sampled_from([each for records in self.log.records.values() for each in records])))

    @precondition(lambda self: self.log.records)
    @rule(data=st.data(), worker=workers, count=st.integers(1, 5), back=st.integers(0, 5), dies_at=st.none() | st.just("counted"))
    def a_worker_reads(self, data: st.DataObject, worker: int, count: int, back: int, dies_at: str | None) -> None:
        places = data.draw(st.lists(st.sampled_from(sorted(self.log.records)), min_size=1, max_size=3, unique=True))
        fetch = []
        for place in places:
            first = max(0, self.positions[place] - back)
            fetch += self.log.records[place][first : first + count]
        if not fetch:
            return
        if dies_at is None:
            self.run(self.workers[worker].counting.take(fetch))
            for place in places:
                end = max(0, self.positions[place] - back) + count
                self.positions[place] = max(self.positions[place], min(end, len(self.log.records[place])))
        else:
            self.run(self._dying(worker, fetch))

    @rule(worker=workers)
    def a_worker_starts_anew(self, worker: int) -> None:
        self.workers[worker] = self.workers[worker].another()

    @rule(worker=workers)
    def a_worker_tells(self, worker: int) -> None:
        self.run(self.workers[worker].tell())

    @rule()
    def what_is_read_is_known(self) -> None:
        known = {
            Place(topic.name, number): self.clock()
            for topic in TOPICS
            for number in range(topic.partitions)
            if self.positions[Place(topic.name, number)] == len(self.log.records.get(Place(topic.name, number), ()))
        }
        self.run(self.workers[0].publishing.note_caught_up(known))

    @rule(seconds=st.sampled_from([1, 30, 90, 3700, 100_000]))
    def time_goes_on(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    def teardown(self) -> None:
        try:
            if hasattr(self, "workers"):
                self.run(self._to_the_end())
                for tenant_id in (self.tenant_of(0).tenant_id, self.tenant_of(1).tenant_id, PLATFORM):
                    self.run(self._then_the_end_is_what_one_batch_gives(tenant_id))
        finally:
            if hasattr(self, "pool"):
                self.run(self.pool.close())
            self.runner.close()

    async def _dying(self, worker: int, fetch: list[Any]) -> None:
        counting = self.workers[worker].counting
        tools = counting._tools

        def die(name: str) -> None:
            if name == "counted":
                raise ConnectionError

        counting._tools = type(tools)(pool=tools.pool, library=tools.library, clock=tools.clock, failpoint=die)
        with pytest.raises(ConnectionError):
            await counting.take(fetch)
        counting._tools = tools

    async def _to_the_end(self) -> None:
        for place, records in self.log.records.items():
            if left := records[self.positions[place] :]:
                await self.workers[place.partition].counting.take(left)
        for days in (0, 12, 1):
            self.clock.advance(days=days, seconds=2)
            await self.workers[0].read_to_the_end()
            await self.workers[0].tell()

    async def _then_the_end_is_what_one_batch_gives(self, tenant_id: UUID) -> None:
        expected = self.workers[0].batch(self.events, tenant_id)
        assert await self.workers[0].windows(tenant_id) == expected
        revisions: dict[WindowKey, list[dict[str, Any]]] = defaultdict(list)
        for result in await self._told(tenant_id):
            dimensions = orjson.dumps(result["dimensions"], option=orjson.OPT_SORT_KEYS).decode()
            start = datetime.fromisoformat(result["window_start"])
            revisions[WindowKey(result["metric"], dimensions, result["span"], start)].append(result)
        assert revisions.keys() == expected.keys()
        for key, results in revisions.items():
            assert [each["revision"] for each in results] == list(range(1, len(results) + 1))
            final = [each["is_final"] for each in results]
            assert final == sorted(final), "what is final stays final"
            assert final[-1], "there was a first final one"
            said, newest = told(METRICS[key.metric], expected[key]), results[-1]
            assert (newest["count"], newest["total"]) == (said.count, said.total)
            assert newest["percentiles"] == (said.percentiles and said.percentiles.model_dump())

    async def _told(self, tenant_id: UUID) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.database.relay_url)
        rows = await connection.fetch("select payload from outbox where tenant_id = $1 order by id", tenant_id)
        await connection.close()
        return [orjson.loads(row["payload"]) for row in rows]

    async def _as(self, url: str, statement: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()


def test_whatever_happens_the_end_is_what_one_batch_gives(database: Any, parts: Any, tenant_of: Callable[[int], Any]) -> None:
    of_this_test = type("OfThisTest", (Machine,), {"database": database, "parts": parts, "tenant_of": staticmethod(tenant_of)})

    run_state_machine_as_test(
        of_this_test,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Making a failure smaller takes minutes on real servers.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            print_blob=True,
        ),
    )
