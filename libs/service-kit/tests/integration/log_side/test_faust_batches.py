"""Workers that take batches, prepare themselves before the start, and forget what belongs to partitions that go."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from bloom_events.auth import Role, UserRegistered
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import TenantId, UserId, new_id
from service_kit.consuming_batches import BatchConsuming
from service_kit.dead_letters import DeadLetters
from service_kit.faust_app import before_start, consume_batches, create_faust_app, run_app, take_fetches, when_partitions_go
from service_kit.redrive import redrive

COUNT = 300


class Handler:
    """Counts what it wrote, and refuses what it is told to."""

    def __init__(self) -> None:
        self.written, self.sizes, self.refuses = Counter(), [], False

    async def prepare(self, deliveries):
        return deliveries

    async def write(self, deliveries):
        if self.refuses:
            return {delivery.envelope.id: "refused by the test" for delivery in deliveries}
        self.sizes.append(len(deliveries))
        self.written.update(delivery.record.key for delivery in deliveries)
        return {}


def record():
    event = UserRegistered(user_id=UserId(new_id()), role=Role.PATIENT, status="active")
    facts = {"source": "/bloom/sample", "tenant_id": TenantId(uuid4()), "time": datetime.now(UTC), "correlation_id": uuid4()}
    message = to_kafka(wrap(event, **facts))
    return message.key, message.value, message.headers


@pytest.fixture
def build(sample_worker_settings, topic, log):
    """Builds a worker of the consumer `sample` on the topic, and its policy."""

    def build_app(handler):
        app = create_faust_app(sample_worker_settings, app_id=topic)
        policy = BatchConsuming("sample", {UserRegistered}, handler, DeadLetters(log.bootstrap, "sample"), batch_size=50)
        consume_batches(app, policy, [topic])
        return app, policy

    return build_app


async def test_every_record_is_written_once_in_batches_and_committed(log, build, topic, worker_of, eventually):
    log.write(topic, *[record() for _ in range(COUNT)])
    handler = Handler()

    async def all_written() -> bool:
        return len(handler.written) == COUNT and log.committed(topic, topic) == COUNT

    async with worker_of(lambda: build(handler)[0]):
        await eventually(all_written, 40)
    assert set(handler.written.values()) == {1}
    assert 1 < max(handler.sizes) <= 50


async def test_dead_letters_of_a_batch_consumer_are_redriven_one_by_one(log, build, topic, worker_of, eventually):
    letters = log.new_topic(1, name=f"{topic}.sample.dlq")
    log.write(topic, *[record() for _ in range(3)])
    handler = Handler()
    handler.refuses = True

    async def all_committed() -> bool:
        return log.committed(topic, topic) == 3

    async with worker_of(lambda: build(handler)[0]):
        await eventually(all_committed, 40)
    assert [dict(letter.headers)["dlq_reason"] for letter in log.read(letters)] == [b"refused by the test"] * 3
    handler.refuses = False
    app, policy = build(handler)
    assert (await redrive(log.bootstrap, policy, [topic])).summary() == f"{topic}: 3 handled"
    await app.stop()
    assert len(handler.written) == 3


async def test_a_worker_asks_for_partitions_only_after_its_preparation(log, build, topic, worker_of, eventually):
    log.write(topic, record())
    handler, ready, app = Handler(), asyncio.Event(), None

    def build_prepared():
        nonlocal app
        app, _ = build(handler)
        before_start(app, ready.wait)
        return app

    async def written() -> bool:
        return bool(handler.written)

    async with worker_of(build_prepared):
        await asyncio.sleep(0.2)
        assert app is not None
        assert not app.started
        ready.set()
        await eventually(written, 40)


async def test_a_worker_can_be_stopped_during_its_preparation(build):
    app, _ = build(Handler())
    stop, ended = asyncio.Event(), []

    async def prepares_forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    before_start(app, prepares_forever)
    running = asyncio.create_task(run_app(app, stop))
    await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(running, 20)
    assert ended == [True]


async def test_a_preparation_that_fails_keeps_the_worker_from_starting(build):
    app, _ = build(Handler())

    async def fails() -> None:
        raise RuntimeError("no engine")

    before_start(app, fails)
    with pytest.raises(RuntimeError, match="no engine"):
        await run_app(app, asyncio.Event())


async def test_two_topics_of_one_worker_go_by_key_to_the_same_process_and_a_rebalance_makes_it_forget(
    log, sample_worker_settings, worker_of, eventually
):
    names = [log.new_topic(6), log.new_topic(6)]
    seen: list[dict[str, set[bytes]]] = []
    forgotten: Counter[int] = Counter()

    def build_one():
        number, mine = len(seen), {name: set() for name in names}
        seen.append(mine)
        app = create_faust_app(sample_worker_settings, app_id=names[0])
        when_partitions_go(app, lambda: forgotten.update([number]))

        async def handle(fetch) -> None:
            for tp, records in fetch.items():
                mine[tp.topic] |= {record.key for record in records}

        take_fetches(app, names, handle)
        return app

    def arrived(name: str) -> set[bytes]:
        return set().union(*(mine[name] for mine in seen))

    async with worker_of(build_one), worker_of(build_one):

        async def both_have_partitions() -> bool:
            for name in names:
                log.write(name, *[(b"key-%d" % n, b"x", []) for n in range(40)])
            return all(mine[name] for mine in seen for name in names)

        await eventually(both_have_partitions, 60)
        for mine in seen:
            for keys in mine.values():
                keys.clear()
        for name in names:
            log.write(name, *[(b"key-%d" % n, b"x", []) for n in range(40)])

        async def all_arrived() -> bool:
            return all(len(arrived(name)) == 40 for name in names)

        await eventually(all_arrived, 40)
        assert forgotten[0] >= 1
        assert seen[0][names[0]] == seen[0][names[1]]
        assert seen[1][names[0]] == seen[1][names[1]]
