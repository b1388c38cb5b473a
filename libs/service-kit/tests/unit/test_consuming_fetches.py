"""Whole fetches: taken at once, one by one when that fails, with the same ends for a record as everywhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.auth import Role, UserRegistered, UserSuspended
from bloom_events.envelope import Envelope, to_kafka, wrap
from service_kit.consuming import Backoff, LogRecord, Outcome, Record, WorkerMustStop, decode_whole
from service_kit.consuming_fetches import FetchConsuming, Taken
from service_kit.testing import recorded_spans


class Effects:
    """Remembers what was taken together; fails for what it is told to."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.again: list[int] = []
        self.poison: set[int] = set()
        self.away = 0

    async def take(self, taken: Sequence[Taken[Any]]) -> None:
        if self.away:
            self.away -= 1
            raise ConnectionError
        offsets = [each.record.offset for each in taken]
        if self.poison & set(offsets):
            raise ValueError("poison")
        self.calls.append(offsets)

    async def take_again(self, taken: Taken[Any]) -> None:
        if taken.record.offset in self.poison:
            raise ValueError("poison")
        self.again.append(taken.record.offset)


class Parked:
    def __init__(self) -> None:
        self.parked: list[tuple[int, str]] = []

    async def park(self, record: Record, reason: str, attempts: int = 1) -> None:  # noqa: ARG002  # the parent's signature
        self.parked.append((record.offset, reason))


@pytest.fixture
def effects() -> Effects:
    return Effects()


@pytest.fixture
def parked() -> Parked:
    return Parked()


@pytest.fixture
def consuming(effects: Effects, parked: Parked) -> FetchConsuming[Any]:
    backoff = Backoff(0.001, 0.002)
    return FetchConsuming("test", [UserRegistered], effects, parked, decode=decode_whole, backoff=backoff, max_parked_in_row=3)


def record(offset: int, envelope: Envelope[Any] | None = None) -> LogRecord:
    envelope = envelope or wrapped(UserRegistered(user_id=uuid4(), role=Role.PATIENT, status="active"))
    message = to_kafka(envelope)
    return LogRecord(message.topic, 0, offset, message.timestamp_ms, message.key, message.value, message.headers)


def wrapped(event: Any) -> Envelope[Any]:
    return wrap(event, source="/bloom/auth", tenant_id=uuid4(), time=datetime.now(UTC), correlation_id=uuid4())


def broken(offset: int) -> LogRecord:
    return record(offset)._replace(value=b"{}")


def unknown(offset: int) -> LogRecord:
    known = record(offset)
    headers = [(name, b"user.renamed.v1" if name == "ce_type" else value) for name, value in known.headers]
    return known._replace(headers=headers)


async def test_a_fetch_is_taken_at_once_without_what_nobody_asked_for(consuming: FetchConsuming[Any], effects: Effects) -> None:
    other = record(2, wrapped(UserSuspended(user_id=uuid4(), role=Role.PATIENT)))
    await consuming.consume_fetch([record(0), unknown(1), other, record(3)])

    assert effects.calls == [[0, 3]]


async def test_what_cannot_be_read_is_parked_and_the_rest_taken(
    consuming: FetchConsuming[Any], effects: Effects, parked: Parked
) -> None:
    await consuming.consume_fetch([record(0), broken(1), record(2)])

    assert effects.calls == [[0, 2]]
    assert [offset for offset, reason in parked.parked if reason.startswith("unreadable: ")] == [1]


async def test_one_bad_record_parks_itself_alone(consuming: FetchConsuming[Any], effects: Effects, parked: Parked) -> None:
    effects.poison = {1}
    await consuming.consume_fetch([record(0), record(1), record(2)])

    assert effects.calls == [[0], [2]]
    assert parked.parked == [(1, "handler failed: ValueError")]


async def test_a_fetch_waits_for_what_is_away(consuming: FetchConsuming[Any], effects: Effects, parked: Parked) -> None:
    effects.away = 3
    await consuming.consume_fetch([record(0), record(1)])

    assert effects.calls == [[0, 1]]
    assert parked.parked == []


async def test_too_many_parked_in_a_row_stop_the_worker(consuming: FetchConsuming[Any], parked: Parked) -> None:
    with pytest.raises(WorkerMustStop):
        await consuming.consume_fetch([broken(offset) for offset in range(5)])
    assert len(parked.parked) == 3


async def test_records_that_are_taken_between_them_begin_the_row_anew(consuming: FetchConsuming[Any], parked: Parked) -> None:
    await consuming.consume_fetch([broken(0), broken(1), broken(2), record(3), broken(4)])
    await consuming.consume_fetch([record(5)])
    await consuming.consume_fetch([broken(offset) for offset in (6, 7, 8)])

    assert len(parked.parked) == 7


async def test_a_record_that_was_parked_is_taken_as_one(consuming: FetchConsuming[Any], effects: Effects, parked: Parked) -> None:
    again = consuming.parking_with(parked, max_parked_in_row=100)
    effects.poison = {2}

    ends = [await again.consume(each) for each in (record(0), broken(1), record(2), unknown(3))]
    assert ends == [Outcome.HANDLED, Outcome.PARKED, Outcome.PARKED, Outcome.SKIPPED]
    assert (effects.again, effects.calls) == ([0], [])


async def test_the_span_of_a_fetch_is_linked_with_the_traces_of_its_records(consuming: FetchConsuming) -> None:
    spans = recorded_spans()
    traces = [f"{number:032x}" for number in (7, 8)]
    traced = [
        record(number)._replace(headers=[("traceparent", f"00-{each}-{7:016x}-01".encode())])
        for number, each in enumerate(traces)
    ]
    await consuming.consume_fetch([*traced, record(2)._replace(headers=[("traceparent", b"nonsense")]), record(3)])

    linked = [[f"{link.context.trace_id:032x}" for link in span.links] for span in spans.get_finished_spans()]
    assert traces in linked
