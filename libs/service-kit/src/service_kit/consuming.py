"""The one policy for reading the log: decode, handle, skip, park, retry or stop; nothing is lost in silence."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind

from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.registry import UnknownEventType, UnreadableEvent, unwrap
from service_kit import metrics
from service_kit.database import is_unavailable
from service_kit.errors import ServiceUnavailable
from service_kit.tracing import span

log = structlog.get_logger(__name__)

Handler: TypeAlias = Callable[[Envelope[Any]], Awaitable[None]]

Done = TypeVar("Done")


class Record(Protocol):
    """One record of the log; aiokafka's ConsumerRecord fits as it is. `timestamp` is in milliseconds."""

    @property
    def topic(self) -> str:
        """Where it was read."""
        ...

    @property
    def partition(self) -> int:
        """Its partition."""
        ...

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """When it happened, in milliseconds."""
        ...

    @property
    def key(self) -> bytes | None:
        """The aggregate's id."""
        ...

    @property
    def value(self) -> bytes | None:
        """The body."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The envelope's attributes, among others."""
        ...


class LogRecord(NamedTuple):
    """A record in plain form, for readers that do not use aiokafka. `timestamp` is in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Parker(Protocol):
    """Keeps records that cannot be handled."""

    async def park(self, record: Record, reason: str, attempts: int = 1) -> None:
        """Return once the record is safe; raise a dependency failure when it is not. `attempts` counts the handlings."""


class Outcome(StrEnum):
    """What became of a record; each of them means that it may be acknowledged."""

    HANDLED = "handled"
    SKIPPED = "skipped"
    PARKED = "parked"


MAX_PARKED_IN_ROW = 20
"""After so many parked one after the other a worker stops, before it parks the next."""


class WorkerMustStop(Exception):  # noqa: N818  # the name says what has to happen
    """Too many records parked in a row: more likely a broken deployment than broken records."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before each retry: doubling from `first` to `most`, with a quarter of jitter."""

    first: float = 0.1
    most: float = 5.0

    def seconds(self, attempt: int) -> float:
        """Return the wait before retry number `attempt`, counted from 0."""
        wait: float = min(self.most, self.first * 2 ** min(attempt, 16))
        return wait * random.uniform(0.75, 1.25)  # noqa: S311  # jitter needs no secrecy


def is_dependency_failure(error: BaseException) -> bool:
    """Say whether something that the handler needs is away, so that the same record can be expected to work later."""
    if isinstance(error, KafkaError):
        return bool(error.retriable)
    return isinstance(error, OSError | ServiceUnavailable | asyncpg.DeadlockDetectedError) or is_unavailable(error)


class Found(Protocol):
    """What every way of reading a record tells of its event."""

    @property
    def type(self) -> str:
        """The wire type."""
        ...

    @property
    def time(self) -> datetime:
        """When it happened."""
        ...

    @property
    def traceparent(self) -> str | None:
        """The trace that it belongs to."""
        ...


Read = TypeVar("Read", bound=Found)
Decode: TypeAlias = Callable[[Record], Read]
"""Reads a record; raises UnknownEventType or UnreadableEvent as `unwrap` does."""


class Unhandled(NamedTuple):
    """The end of a record that goes to no handler; `reason` says why it is parked, and is empty for what is not."""

    outcome: Outcome
    reason: str = ""


def decode_whole(record: Record) -> Envelope[Any]:
    """Read a record with all that the contract says about it."""
    return unwrap(record.headers, record.value)


def read_record(record: Record, decode: Decode[Read], types: Collection[str]) -> Read | Unhandled:
    """Return what was read of an event of one of these wire types, or what becomes of the record without being handled."""
    try:
        found = decode(record)
    except UnknownEventType:
        return Unhandled(Outcome.SKIPPED)
    except UnreadableEvent as error:
        return Unhandled(Outcome.PARKED, f"unreadable: {error.reason}")
    return found if found.type in types else Unhandled(Outcome.SKIPPED)


class Policy:
    """What every way of reading shares: park, retry what is away, stop when nothing can be handled any more."""

    def __init__(self, consumer: str, park: Parker, *, backoff: Backoff | None, max_parked_in_row: int) -> None:
        self.consumer = consumer
        self._parker = park
        self._backoff = backoff or Backoff()
        self._max_parked_in_row = max_parked_in_row
        self._parked_in_row = 0

    def _count(self, record: Record, outcome: Outcome) -> None:
        if outcome is Outcome.HANDLED:
            self._parked_in_row = 0
        metrics.consumed(self.consumer, record.topic, outcome.value)()

    def _note_age(self, event: Found) -> None:
        age = datetime.now(UTC) - event.time
        metrics.event_age(self.consumer, event.type)(max(0.0, age.total_seconds()), metrics.exemplar_of(event.traceparent))

    async def _park(self, record: Record, reason: str) -> Outcome:
        if self._parked_in_row >= self._max_parked_in_row:
            raise WorkerMustStop(f"{self._parked_in_row} records parked in a row, the last for: {reason}")
        self._parked_in_row += 1
        await self._until_dependencies_work(lambda: self._parker.park(record, reason))
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.error("record_parked", consumer=self.consumer, reason=reason, **place)
        return Outcome.PARKED

    async def _until_dependencies_work(self, work: Callable[[], Awaitable[Done]]) -> Done:
        attempt = 0
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_dependency_failure(error):
                    raise
                metrics.CONSUMER_RETRIES.labels(self.consumer).inc()
                log.warning("dependency_away", consumer=self.consumer, error=type(error).__name__, attempt=attempt)
                await asyncio.sleep(self._backoff.seconds(attempt))
                attempt += 1


def failure_reason(error: Exception) -> str:
    """Return why a record that could not be handled is parked: the class alone, for the text may repeat what it holds."""
    return f"handler failed: {type(error).__name__}"


class Consuming(Policy):
    """Runs the records of one consumer through its handlers, one by one, by the policy of this module."""

    def __init__(
        self,
        consumer: str,
        handlers: Mapping[type[Event], Handler],
        park: Parker,
        *,
        backoff: Backoff | None = None,
        max_parked_in_row: int = MAX_PARKED_IN_ROW,
    ) -> None:
        super().__init__(consumer, park, backoff=backoff, max_parked_in_row=max_parked_in_row)
        self._handlers = dict(handlers)
        self._types = frozenset(kind.TYPE for kind in handlers)

    def parking_with(self, park: Parker, *, max_parked_in_row: int) -> "Consuming":
        """Return the same consumer with the same handlers and another place to park."""
        return Consuming(self.consumer, self._handlers, park, backoff=self._backoff, max_parked_in_row=max_parked_in_row)

    async def consume(self, record: Record) -> Outcome:
        """Return when the record may be acknowledged; raises WorkerMustStop, and passes cancellation on unacknowledged."""
        started = time.perf_counter()
        outcome = await self._outcome_of(record)
        self._count(record, outcome)
        metrics.CONSUMER_SECONDS.labels(self.consumer).observe(time.perf_counter() - started)
        return outcome

    async def _outcome_of(self, record: Record) -> Outcome:
        found = read_record(record, decode_whole, self._types)
        if isinstance(found, Unhandled):
            return await self._park(record, found.reason) if found.reason else found.outcome
        return await self._handle(record, found, self._handlers[type(found.data)])

    async def _handle(self, record: Record, envelope: Envelope[Any], handler: Handler) -> Outcome:
        try:
            with span(f"handle {envelope.type}", kind=SpanKind.CONSUMER, traceparent=envelope.traceparent):
                await self._until_dependencies_work(lambda: handler(envelope))
        except Exception as error:
            return await self._park(record, failure_reason(error))
        self._note_age(envelope)
        return Outcome.HANDLED
