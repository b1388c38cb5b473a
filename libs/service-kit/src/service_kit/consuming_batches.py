"""The policy of `consuming` for consumers that work on many records at a time: the same ends, one transaction for a batch.

A batch is prepared, which may take time and has no effect, and then written. While one is written the next are prepared;
writes keep the order in which the records came. A batch that fails is handled record by record, so that one bad record parks
itself alone.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from opentelemetry.trace import Span, SpanKind

from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.ids import EventId
from service_kit import metrics
from service_kit.consuming import (
    MAX_PARKED_IN_ROW,
    Backoff,
    Consuming,
    Outcome,
    Parker,
    Policy,
    Record,
    Unhandled,
    decode_whole,
    failure_reason,
    read_record,
)
from service_kit.consuming_fetches import FetchConsuming
from service_kit.tracing import started_span

BATCH_SIZE = 64
"""Records per batch: large enough that a commit is shared by many, small enough that the first does not wait for the last."""

BATCHES_IN_HAND = 3
"""One is written, one prepared, and one decoded, so that none of the three waits for another."""

Prepared = TypeVar("Prepared")


class Delivery(NamedTuple):
    """A record with the event that it carries; `traceparent` is that of the span in which it is handled."""

    record: Record
    envelope: Envelope[Any]
    traceparent: str | None


Refusals: TypeAlias = Mapping[EventId, str]
"""Events that can never be handled, each with the reason for which it is parked: constant words, nothing of the content."""


class BatchHandler(Protocol[Prepared]):
    """What a consumer does about a batch; it may see the same events again, before and after they were written."""

    async def prepare(self, deliveries: Sequence[Delivery]) -> Prepared:
        """Do what has no effect outside of this process; several batches may be prepared at a time."""
        ...

    async def write(self, prepared: Prepared) -> Refusals:
        """Make the effects durable, each event once; called in the order of the records."""
        ...


@dataclass(slots=True)
class _Item:
    record: Record
    outcome: Outcome
    reason: str = ""
    delivery: Delivery | None = None
    span: Span | None = None


class BatchConsuming(Policy, Generic[Prepared]):
    """Runs the records of one consumer through its handler, many at a time."""

    def __init__(
        self,
        consumer: str,
        kinds: Collection[type[Event]],
        handler: BatchHandler[Prepared],
        park: Parker,
        *,
        batch_size: int = BATCH_SIZE,
        backoff: Backoff | None = None,
        max_parked_in_row: int = MAX_PARKED_IN_ROW,
    ) -> None:
        super().__init__(consumer, park, backoff=backoff, max_parked_in_row=max_parked_in_row)
        self._kinds = frozenset(kinds)
        self._types = frozenset(kind.TYPE for kind in kinds)
        self._handler = handler
        self._batch_size = batch_size

    def parking_with(self, park: Parker, *, max_parked_in_row: int) -> "BatchConsuming[Prepared]":
        """Return the same consumer with the same handler and another place to park."""
        return BatchConsuming(
            self.consumer,
            self._kinds,
            self._handler,
            park,
            batch_size=self._batch_size,
            backoff=self._backoff,
            max_parked_in_row=max_parked_in_row,
        )

    async def consume(self, record: Record) -> Outcome:
        """Handle one record and return its end, as `Consuming.consume` does."""
        (item,) = await self._batch([record], None)
        return item.outcome

    async def consume_many(self, records: Sequence[Record]) -> None:
        """Return when all records may be acknowledged; raises WorkerMustStop, and passes cancellation on unacknowledged."""
        places = asyncio.Semaphore(BATCHES_IN_HAND)
        before: asyncio.Task[list[_Item]] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for some in _cut(records, self._batch_size):
                    await places.acquire()
                    before = group.create_task(self._batch(some, before))
                    before.add_done_callback(lambda _: places.release())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _batch(self, records: Sequence[Record], before: "asyncio.Task[list[_Item]] | None") -> list[_Item]:
        items = [self._look_at(record) for record in records]
        deliveries = [item.delivery for item in items if item.delivery is not None]
        metrics.CONSUMER_BATCH_RECORDS.labels(self.consumer).observe(len(records))
        prepared = await self._prepared(deliveries)
        if before is not None:
            # Its failure is the group's, which is about to cancel this one: nothing may be written behind a gap.
            await before
        refusals = await self._written(deliveries, prepared)
        for item in items:
            await self._settle(item, refusals)
        return items

    def _look_at(self, record: Record) -> _Item:
        envelope = read_record(record, decode_whole, self._types)
        if isinstance(envelope, Unhandled):
            return _Item(record, *envelope)
        span, traceparent = started_span(f"handle {envelope.type}", kind=SpanKind.CONSUMER, traceparent=envelope.traceparent)
        return _Item(record, Outcome.HANDLED, "", Delivery(record, envelope, traceparent), span)

    async def _prepared(self, deliveries: Sequence[Delivery]) -> Prepared | None:
        """What the handler made of the batch; None if it failed, or if there is nothing to do."""
        if not deliveries:
            return None
        try:
            return await self._until_dependencies_work(lambda: self._handler.prepare(deliveries))
        except Exception as error:
            metrics.CONSUMER_BATCHES_SPLIT.labels(self.consumer, type(error).__name__).inc()
            return None

    async def _written(self, deliveries: Sequence[Delivery], prepared: Prepared | None) -> Refusals:
        if prepared is not None:
            try:
                return await self._until_dependencies_work(lambda: self._handler.write(prepared))
            except Exception as error:
                metrics.CONSUMER_BATCHES_SPLIT.labels(self.consumer, type(error).__name__).inc()
        refusals: dict[EventId, str] = {}
        for delivery in deliveries:
            refusals.update(await self._alone(delivery))
        return refusals

    async def _alone(self, delivery: Delivery) -> Refusals:
        async def both() -> Refusals:
            return await self._handler.write(await self._handler.prepare([delivery]))

        try:
            return await self._until_dependencies_work(both)
        except Exception as error:
            return {delivery.envelope.id: failure_reason(error)}

    async def _settle(self, item: _Item, refusals: Refusals) -> None:
        if item.delivery is not None and (reason := refusals.get(item.delivery.envelope.id)):
            item.outcome, item.reason = Outcome.PARKED, reason
        if item.outcome is Outcome.PARKED:
            await self._park(item.record, item.reason)
        elif item.delivery is not None:
            self._note_age(item.delivery.envelope)
        self._count(item.record, item.outcome)
        if item.span is not None:
            item.span.end()


AnyConsuming: TypeAlias = Consuming | BatchConsuming[Any] | FetchConsuming[Any]
"""A consumer of any kind: it takes one record when it is told to."""


def _cut(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), size):
        yield records[start : start + size]
