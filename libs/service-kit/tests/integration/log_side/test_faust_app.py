"""Faust on a real Kafka: whole fetches, committed only when handled, through stops, crashes and rebalances."""

import asyncio

import pytest

from service_kit import metrics
from service_kit.faust_app import FetchConsumer, create_faust_app, take_fetches

COUNT = 600


@pytest.fixture
def filled(log, topic):
    log.write(topic, *[(b"key-%d" % (n % 20), b"%d" % n, []) for n in range(COUNT)])
    return topic


@pytest.fixture
def build(sample_worker_settings, filled):
    """Builds the app of one worker of the group `filled`, with this handler of fetches."""

    def build_app(handler):
        app = create_faust_app(sample_worker_settings, app_id=filled)
        take_fetches(app, [filled], handler)
        return app

    return build_app


class Handler:
    """Remembers what it was given; holds the first fetch until told to go on."""

    def __init__(self, *, holds: bool = False) -> None:
        self.values: list[bytes] = []
        self.fetches: list[set[int]] = []
        self.began, self.go_on = asyncio.Event(), asyncio.Event()
        self.cancelled = 0
        if not holds:
            self.go_on.set()

    async def __call__(self, fetch) -> None:
        self.began.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.fetches.append({tp.partition for tp in fetch})
        self.values += [record.value for records in fetch.values() for record in records]

    async def has_all(self) -> bool:
        return len(set(self.values)) == COUNT


async def test_records_come_as_whole_fetches_once_and_are_committed(log, build, filled, worker_of, eventually):
    handler = Handler()
    async with worker_of(lambda: build(handler)):
        await eventually(lambda: is_true(lambda: log.committed(filled, filled) == COUNT))
    assert len(handler.values) == COUNT
    assert len(handler.fetches) < COUNT / 10, "records came in batches"


async def test_a_restarted_worker_goes_on_where_the_last_one_committed(log, build, filled, worker_of, eventually):
    first, second = Handler(), Handler()
    async with worker_of(lambda: build(first)):
        await eventually(lambda: is_true(lambda: log.committed(filled, filled) == COUNT))
    log.write(filled, (b"key-1", b"after", []))
    async with worker_of(lambda: build(second)):
        await eventually(lambda: is_true(lambda: second.values))
    assert second.values == [b"after"]


async def test_what_a_stopped_worker_had_in_hand_is_not_committed_and_comes_again(log, build, filled, worker_of, eventually):
    stopped, next_one = Handler(holds=True), Handler()
    async with worker_of(lambda: build(stopped)):
        await asyncio.wait_for(stopped.began.wait(), 20)
    assert stopped.cancelled == 1
    assert log.committed(filled, filled) == 0
    async with worker_of(lambda: build(next_one)):
        await eventually(next_one.has_all)
    assert len(next_one.values) == COUNT


async def test_how_far_behind_a_worker_is_shows_while_its_handler_is_stuck(build, filled, worker_of):
    handler = Handler(holds=True)
    async with worker_of(lambda: build(handler)):
        await asyncio.wait_for(handler.began.wait(), 20)
        assert sum(metrics.CONSUMER_LAG.labels(filled, str(number))._value.get() for number in range(3)) > 0


async def test_a_handler_that_raises_ends_the_worker_with_nothing_committed(log, build, filled, worker_of, eventually):
    async def breaks(_) -> None:
        raise RuntimeError("a bug")

    async with worker_of(lambda: build(breaks)) as running:
        with pytest.raises(RuntimeError, match="a bug"):
            await asyncio.wait_for(asyncio.shield(running), 20)
    assert log.committed(filled, filled) == 0


async def test_a_rebalance_cancels_the_fetch_in_hand_and_every_record_is_handled(build, log, filled, worker_of, eventually):
    first, second = Handler(holds=True), Handler()
    async with worker_of(lambda: build(first)):
        await asyncio.wait_for(first.began.wait(), 20)
        async with worker_of(lambda: build(second)):
            await eventually(lambda: is_true(lambda: first.cancelled))
            assert first.values == []
            first.go_on.set()
            await eventually(lambda: is_true(lambda: len(set(first.values) | set(second.values)) == COUNT))
            assert second.values, "the second worker has partitions of its own"
            await eventually(lambda: is_true(lambda: log.committed(filled, filled) == COUNT))
    assert not set(first.values) & set(second.values), "nothing was handled by both"


class StoppedOnce(FetchConsumer):
    """Its flow stops for a moment right after the first fetch, where a rebalance stops it when the machine is slow."""

    was_stopped = False

    async def _wait_next_records(self, timeout):  # noqa: ASYNC109  # Faust's own signature
        found = await super()._wait_next_records(timeout)
        if found[0] and not self.was_stopped:
            self.was_stopped = True
            self.stop_flow()
            asyncio.get_running_loop().call_later(0.2, self.resume_flow)
        return found


@pytest.mark.parametrize("begun", [False, True])
async def test_what_was_fetched_while_the_flow_stood_still_comes_again(begun, log, build, filled, worker_of, eventually):
    handler, more = Handler(), Handler()
    if begun:
        async with worker_of(lambda: build(handler)):
            await eventually(lambda: is_true(lambda: log.committed(filled, filled) == COUNT))
        log.write(filled, *[(b"key-%d" % (n % 20), b"more-%d" % n, []) for n in range(COUNT)])
    app = build(more)
    app.transport.Consumer = StoppedOnce
    async with worker_of(lambda: app):
        await eventually(more.has_all)
    assert app.consumer.was_stopped


async def test_a_worker_that_leaves_hands_its_partitions_over(build, log, filled, worker_of, eventually):
    staying, leaving = Handler(), Handler()
    async with worker_of(lambda: build(staying)):
        async with worker_of(lambda: build(leaving)):
            await eventually(lambda: is_true(lambda: len(set(staying.values) | set(leaving.values)) == COUNT))
        log.write(filled, *[(b"more-%d" % n, b"more-%d" % n, []) for n in range(50)])
        await eventually(lambda: is_true(lambda: sum(value.startswith(b"more") for value in staying.values) == 50), 30)
    assert log.committed(filled, filled) == COUNT + 50


@pytest.fixture
def named(sample_worker_settings, filled):
    """Builds the app of a worker whose name outlives it; those who are away are given up after two seconds, if `short`."""

    def build_app(name, handler, *, short=False):
        changes = {"worker_instance": name} | ({"worker_session_seconds": 2.0} if short else {})
        app = create_faust_app(sample_worker_settings.model_copy(update=changes), app_id=filled)
        take_fetches(app, [filled], handler)
        return app

    return build_app


async def test_who_comes_back_under_its_name_takes_up_its_partitions_before_it_would_be_given_up(
    log, named, filled, worker_of, eventually
):
    before, after, other = Handler(), Handler(), Handler()
    async with worker_of(lambda: named("other", other)):
        async with worker_of(lambda: named("mine", before)):
            await eventually(lambda: is_true(lambda: len(set(before.values) | set(other.values)) == COUNT))
            await eventually(lambda: is_true(lambda: before.values))
        # As after a kill: nobody of that name has said goodbye.
        log.write(filled, *[(b"key-%d" % n, b"more-%d" % n, []) for n in range(20)])
        async with worker_of(lambda: named("mine", after)):
            gone_on = await eventually(lambda: is_true(lambda: after.values))
            await eventually(lambda: is_true(lambda: log.committed(filled, filled) == COUNT + 20))
    assert gone_on < 6, "a worker that is away is given up after ten seconds"


async def test_a_named_worker_that_stays_away_is_given_up_and_the_others_do_its_work(log, named, filled, worker_of, eventually):
    staying, leaving = Handler(), Handler()
    async with worker_of(lambda: named("staying", staying, short=True)):
        async with worker_of(lambda: named("leaving", leaving, short=True)):
            await eventually(lambda: is_true(lambda: len(set(staying.values) | set(leaving.values)) == COUNT))
        log.write(filled, *[(b"key-%d" % n, b"more-%d" % n, []) for n in range(20)])
        await eventually(lambda: is_true(lambda: log.committed(filled, filled) == COUNT + 20), 30)
    assert sum(value.startswith(b"more") for value in staying.values) == 20


async def test_a_plain_agent_that_acks_by_hand_commits_only_what_it_finished(
    log, sample_worker_settings, filled, worker_of, eventually
):
    finished = []

    def build_plain():
        app = create_faust_app(sample_worker_settings, app_id=f"{filled}-plain")

        async def read(stream) -> None:
            async for event in stream.noack().events():
                if len(finished) == 100:
                    await asyncio.Event().wait()
                finished.append(event.value)
                event.ack()

        app.agent(app.topic(filled, value_type=bytes, value_serializer="raw"))(read)
        return app

    async with worker_of(build_plain):
        await eventually(lambda: is_true(lambda: len(finished) == 100))
    assert log.committed(f"{filled}-plain", filled) == 100


async def is_true(condition) -> bool:
    return bool(condition())


class SlowHandler:
    """Takes its time over the first two records, and notes when it was given each."""

    def __init__(self) -> None:
        self.given_at: dict[bytes, float] = {}
        self.began = asyncio.Event()

    async def __call__(self, fetch) -> None:
        values = [record.value for records in fetch.values() for record in records]
        self.given_at |= dict.fromkeys(values, asyncio.get_running_loop().time())
        if {b"first", b"second"} & set(values):
            self.began.set()
            await asyncio.sleep(0.4)


async def test_a_record_behind_one_that_had_to_wait_comes_at_once(log, topic, sample_worker_settings, worker_of, eventually):
    """aiokafka would leave the partition out of its next request, which Faust lets the broker answer after 1.5 s."""
    handler = SlowHandler()

    def build_app():
        app = create_faust_app(sample_worker_settings, app_id=topic)
        take_fetches(app, [topic], handler)
        return app

    async with worker_of(build_app):
        log.write(topic, (b"one key", b"first", []))
        await asyncio.wait_for(handler.began.wait(), 40)
        log.write(topic, (b"one key", b"second", []))
        await eventually(lambda: is_true(lambda: b"second" in handler.given_at))
        log.write(topic, (b"one key", b"third", []))
        written_at = asyncio.get_running_loop().time()
        await eventually(lambda: is_true(lambda: b"third" in handler.given_at))
    assert handler.given_at[b"third"] - written_at < 1.0
