"""The policy for reading the log in batches, without a broker."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from bloom_events.auth import Role, UserRegistered, UserSuspended
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import TenantId, UserId, new_id
from service_kit import metrics
from service_kit.consuming import Backoff, LogRecord, Outcome, WorkerMustStop
from service_kit.consuming_batches import BatchConsuming

TRACE = "c" * 32


def record_of(offset=0, event=None, traceparent=None):
    event = event or UserRegistered(user_id=UserId(new_id()), role=Role.PATIENT, status="active")
    facts = {"source": "/bloom/sample", "tenant_id": TenantId(uuid4()), "correlation_id": uuid4(), "traceparent": traceparent}
    message = to_kafka(wrap(event, time=datetime.now(UTC), **facts))
    return LogRecord("bloom.users.v1", 0, offset, message.timestamp_ms, message.key, message.value, message.headers)


def broken(offset):
    return record_of(offset)._replace(value=b"\xff{")


class Parked(list):
    """A parker that remembers."""

    async def park(self, record, reason, attempts=1):  # noqa: ARG002  # the parker's interface
        self.append((record.offset, reason))


class Handler:
    """Remembers what it prepared and wrote, by offset; fails, refuses and waits as it is told to."""

    def __init__(self) -> None:
        self.prepared, self.written = [], []
        self.bad_to_prepare, self.bad_to_write, self.refused = set(), set(), {}
        self.away_when_preparing, self.away_when_writing = [], []
        self.held = asyncio.Event()
        self.held.set()
        self.began = asyncio.Event()
        self.traces = []

    async def prepare(self, deliveries):
        if self.away_when_preparing:
            raise self.away_when_preparing.pop()
        self.began.set()
        offsets = [delivery.record.offset for delivery in deliveries]
        if self.bad_to_prepare & set(offsets):
            raise ValueError("robin@example.test")
        self.prepared.append(offsets)
        self.traces += [delivery.traceparent for delivery in deliveries]
        return deliveries

    async def write(self, deliveries):
        await self.held.wait()
        if self.away_when_writing:
            raise self.away_when_writing.pop()
        offsets = [delivery.record.offset for delivery in deliveries]
        if self.bad_to_write & set(offsets):
            raise KeyError("robin@example.test")
        self.written.append([offset for offset in offsets if offset not in self.refused])
        return {d.envelope.id: self.refused[d.record.offset] for d in deliveries if d.record.offset in self.refused}


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def parked():
    return Parked()


@pytest.fixture
def reader(handler, parked):
    def of(**options: int):
        backoff = Backoff(first=0.001, most=0.002)
        return BatchConsuming("sample", {UserRegistered}, handler, parked, backoff=backoff, **options)

    return of


async def test_records_are_prepared_and_written_in_batches_in_their_order(handler, parked, reader):
    await reader(batch_size=4).consume_many([record_of(n) for n in range(10)])
    assert handler.written == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert parked == []


async def test_one_record_goes_through_alone_and_says_its_end(handler, parked, reader):
    policy = reader()
    assert await policy.consume(record_of(7)) is Outcome.HANDLED
    assert await policy.consume(broken(8)) is Outcome.PARKED
    assert await policy.consume(record_of(9, UserSuspended(user_id=UserId(new_id()), role=Role.PATIENT))) is Outcome.SKIPPED
    assert (handler.written, [offset for offset, _ in parked]) == ([[7]], [8])


async def test_the_next_batches_are_prepared_while_one_is_written_and_none_is_written_before_it(handler, reader):
    handler.held.clear()
    running = asyncio.create_task(reader(batch_size=2).consume_many([record_of(n) for n in range(20)]))
    await handler.began.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert handler.prepared == [[0, 1], [2, 3], [4, 5]], "so many are in hand and no more"
    assert handler.written == []
    handler.held.set()
    await running
    assert handler.written == [[n, n + 1] for n in range(0, 20, 2)]


async def test_unreadable_records_are_parked_unknown_and_unwanted_ones_skipped_and_the_rest_handled(handler, parked, reader):
    unknown = record_of(2)
    unknown = unknown._replace(headers=[(n, b"user.renamed.v9" if n == "ce_type" else v) for n, v in unknown.headers])
    unwanted = record_of(3, UserSuspended(user_id=UserId(new_id()), role=Role.PATIENT))
    skipped = metrics.CONSUMER_RECORDS.labels("sample", "bloom.users.v1", "skipped")
    before = skipped._value.get()
    await reader().consume_many([record_of(0), broken(1), unknown, unwanted, record_of(4)])
    assert handler.written == [[0, 4]]
    ((offset, reason),) = parked
    assert offset == 1
    assert reason.startswith("unreadable: ")
    assert skipped._value.get() == before + 2


async def test_what_the_handler_refuses_is_parked_with_its_reason(handler, parked, reader):
    handler.refused = {1: "the seal is broken"}
    await reader().consume_many([record_of(n) for n in range(3)])
    assert handler.written == [[0, 2]]
    assert parked == [(1, "the seal is broken")]


@pytest.mark.parametrize("step", ["bad_to_prepare", "bad_to_write"])
async def test_a_record_that_breaks_its_batch_is_parked_alone_without_the_errors_text(handler, parked, reader, step):
    setattr(handler, step, {5})
    await reader(batch_size=4).consume_many([record_of(n) for n in range(10)])
    assert [offset for batch in handler.written for offset in batch] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert parked == [(5, f"handler failed: {'ValueError' if step == 'bad_to_prepare' else 'KeyError'}")]


async def test_a_dependency_that_is_away_is_waited_for_and_nothing_is_prepared_twice(handler, parked, reader):
    handler.away_when_preparing = [ConnectionError(), TimeoutError()]
    handler.away_when_writing = [ConnectionError(), TimeoutError()]
    await reader().consume_many([record_of(n) for n in range(3)])
    assert handler.prepared == [[0, 1, 2]]
    assert handler.written == [[0, 1, 2]]
    assert parked == []


async def test_more_than_so_many_parked_in_a_row_stop_the_worker_and_nothing_behind_is_written(handler, parked, reader):
    records = [record_of(0), *map(broken, range(1, 6)), record_of(6), record_of(7)]
    with pytest.raises(WorkerMustStop):
        await reader(max_parked_in_row=3, batch_size=6).consume_many(records)
    assert [offset for offset, _ in parked] == [1, 2, 3]
    assert handler.written == [[0]]


async def test_a_handled_record_between_them_starts_the_count_anew(parked, reader):
    records = [broken(0), broken(1), record_of(2), broken(3), broken(4)]
    await reader(max_parked_in_row=2).consume_many(records)
    assert [offset for offset, _ in parked] == [0, 1, 3, 4]


async def test_a_cancelled_batch_is_neither_written_nor_parked(handler, parked, reader):
    handler.held.clear()
    running = asyncio.create_task(reader(batch_size=2).consume_many([record_of(n) for n in range(8)]))
    await handler.began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (handler.written, parked) == ([], [])


async def test_each_record_is_handled_in_its_own_trace(handler, reader):
    records = [record_of(n, traceparent=f"00-{TRACE}-{n:016x}-01") for n in (1, 2)]
    await reader().consume_many([*records, record_of(3)])
    assert [trace.split("-")[1] == TRACE for trace in handler.traces] == [True, True, False]


async def test_redriven_letters_are_parked_elsewhere_by_the_same_handler(handler, parked, reader):
    elsewhere = Parked()
    again = reader().parking_with(elsewhere, max_parked_in_row=100)
    for offset in range(30):
        assert await again.consume(broken(offset)) is Outcome.PARKED
    assert (len(elsewhere), parked) == (30, [])
