"""The policy for reading the log, record by record, without a broker."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.errors import NotLeaderForPartitionError

from bloom_events.auth import Role, UserRegistered, UserSuspended
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import TenantId, UserId, new_id
from service_kit import metrics
from service_kit.consuming import Backoff, Consuming, LogRecord, Outcome, WorkerMustStop
from service_kit.errors import ServiceUnavailable
from service_kit.tracing import current_trace_id

TRACE = "c" * 32


def record_of(event=None, *, offset=0, traceparent=None):
    event = event or UserRegistered(user_id=UserId(new_id()), role=Role.PATIENT, status="active")
    message = to_kafka(
        wrap(
            event,
            source="/bloom/sample",
            tenant_id=TenantId(uuid4()),
            time=datetime.now(UTC),
            correlation_id=uuid4(),
            traceparent=traceparent,
        )
    )
    return LogRecord("bloom.users.v1", 0, offset, message.timestamp_ms, message.key, message.value, message.headers)


class Parked(list):
    """A parker that remembers, and fails as often as told."""

    def __init__(self, failures=0) -> None:
        super().__init__()
        self.failures = failures

    async def park(self, record, reason, attempts=1):  # noqa: ARG002  # the parker's interface
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        self.append((record.offset, reason))


class Handler:
    """Remembers what it was given, after raising what it was told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.seen, self.traces = list(errors), [], []

    async def __call__(self, envelope):
        self.traces.append(current_trace_id())
        if self.errors:
            raise self.errors.pop(0)
        self.seen.append(envelope.data)


def consuming(handler, parked, **options: int):
    return Consuming("sample", {UserRegistered: handler}, parked, backoff=Backoff(first=0.001, most=0.002), **options)


async def test_a_readable_record_reaches_its_handler_within_its_trace():
    handler, parked = Handler(), Parked()
    record = record_of(traceparent=f"00-{TRACE}-{'d' * 16}-01")
    assert await consuming(handler, parked).consume(record) is Outcome.HANDLED
    assert len(handler.seen) == 1
    assert handler.traces == [TRACE]
    assert parked == []


async def test_an_unreadable_record_is_parked_with_its_reason_and_the_next_one_is_handled():
    handler, parked = Handler(), Parked()
    reader = consuming(handler, parked)
    broken = record_of()._replace(value=b"\xff{", offset=7)
    assert await reader.consume(broken) is Outcome.PARKED
    assert await reader.consume(record_of()) is Outcome.HANDLED
    (offset, reason), *rest = parked
    assert (offset, rest) == (7, [])
    assert reason.startswith("unreadable: ")


async def test_an_unknown_type_and_one_without_a_handler_are_skipped_and_counted():
    handler, parked = Handler(), Parked()
    reader = consuming(handler, parked)
    counter = metrics.CONSUMER_RECORDS.labels("sample", "bloom.users.v1", "skipped")
    before = counter._value.get()
    record = record_of()
    unknown = record._replace(headers=[(n, b"user.renamed.v9" if n == "ce_type" else v) for n, v in record.headers])
    unwanted = record_of(UserSuspended(user_id=UserId(new_id()), role=Role.PATIENT))
    assert [await reader.consume(each) for each in (unknown, unwanted)] == [Outcome.SKIPPED, Outcome.SKIPPED]
    assert counter._value.get() == before + 2
    assert (handler.seen, parked) == ([], [])


@pytest.mark.parametrize(
    "away",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.CannotConnectNowError("starting"),
        asyncpg.InterfaceError("closed"),
        asyncpg.DeadlockDetectedError("deadlock"),
        ConnectionRefusedError(),
        TimeoutError(),
        NotLeaderForPartitionError(),
        ServiceUnavailable(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_dependency_that_is_away_is_waited_for_and_the_record_is_not_passed_over(away):
    handler, parked = Handler(away, away, away), Parked()
    assert await consuming(handler, parked).consume(record_of()) is Outcome.HANDLED
    assert len(handler.seen) == 1
    assert parked == []


async def test_a_bug_in_a_handler_parks_the_record_under_the_errors_class_without_its_text():
    handler, parked = Handler(KeyError("robin@example.test")), Parked()
    assert await consuming(handler, parked).consume(record_of(offset=3)) is Outcome.PARKED
    assert parked == [(3, "handler failed: KeyError")]


async def test_parking_waits_for_kafka():
    handler, parked = Handler(ValueError()), Parked(failures=3)
    assert await consuming(handler, parked).consume(record_of(offset=4)) is Outcome.PARKED
    assert [offset for offset, _ in parked] == [4]


async def test_more_than_so_many_parked_in_a_row_stop_the_worker_before_the_next_is_parked():
    handler, parked = Handler(*[ValueError()] * 10), Parked()
    reader = consuming(handler, parked, max_parked_in_row=3)
    for offset in range(3):
        await reader.consume(record_of(offset=offset))
    with pytest.raises(WorkerMustStop):
        await reader.consume(record_of(offset=3))
    assert [offset for offset, _ in parked] == [0, 1, 2]


async def test_a_handled_record_starts_the_count_anew():
    handler, parked = Handler(ValueError(), ValueError()), Parked()
    reader = consuming(handler, parked, max_parked_in_row=2)
    for offset in range(3):
        await reader.consume(record_of(offset=offset))
    handler.errors = [ValueError(), ValueError()]
    assert [await reader.consume(record_of()) for _ in range(2)] == [Outcome.PARKED, Outcome.PARKED]


async def test_a_cancelled_handler_leaves_its_record_neither_handled_nor_parked():
    started, parked = asyncio.Event(), Parked()

    async def waits_forever(_) -> None:
        started.set()
        await asyncio.Event().wait()

    consuming_it = asyncio.create_task(consuming(waits_forever, parked).consume(record_of()))
    await started.wait()
    consuming_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consuming_it
    assert parked == []


def test_the_backoff_doubles_up_to_its_limit():
    backoff = Backoff(first=0.1, most=1.0)
    assert 0.07 < backoff.seconds(0) < 0.13
    assert 0.75 <= backoff.seconds(50) <= 1.25
