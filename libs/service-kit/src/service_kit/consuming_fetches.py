"""The policy of `consuming` for consumers whose effects are one transaction per fetch, however many records it holds.

A fetch that fails is handled record by record, so that one bad record parks itself alone.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

from opentelemetry.trace import SpanKind

from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.registry import UnknownEventType, UnreadableEvent, unwrap
from service_kit import metrics
from service_kit.consuming import MAX_PARKED_IN_ROW, Backoff, Outcome, Parker, Policy, Record, failure_reason
from service_kit.tracing import link, span


class Taken(NamedTuple):
    """A record with the event that it carries."""

    record: Record
    envelope: Envelope[Any]


class FetchEffects(Protocol):
    """What a consumer does about its records."""

    async def take(self, taken: Sequence[Taken]) -> None:
        """Make the effects durable, each event once and all or none; it may see the same events again."""
        ...

    async def take_again(self, taken: Taken) -> None:
        """Do the same for a record that was parked: others behind it were taken long ago."""
        ...


Decode: TypeAlias = Callable[[Record], Envelope[Any]]
"""Reads a record; raises UnknownEventType or UnreadableEvent as `unwrap` does."""


def decode_whole(record: Record) -> Envelope[Any]:
    """Read a record with all that the contract says about it."""
    return unwrap(record.headers, record.value)


@dataclass(slots=True)
class _Read:
    """What reading a fetch came to; `ends` has one entry a record, in their order: why it is parked, or its end."""

    taken: list[Taken] = field(default_factory=list)
    ends: list[tuple[Record, Outcome, str]] = field(default_factory=list)


class FetchConsuming(Policy):
    """Runs the records of one consumer through its effects, a fetch at a time."""

    def __init__(
        self,
        consumer: str,
        kinds: Collection[type[Event]],
        effects: FetchEffects,
        park: Parker,
        *,
        decode: Decode = decode_whole,
        backoff: Backoff | None = None,
        max_parked_in_row: int = MAX_PARKED_IN_ROW,
    ) -> None:
        super().__init__(consumer, park, backoff=backoff, max_parked_in_row=max_parked_in_row)
        self._kinds = frozenset(kinds)
        self._effects = effects
        self._decode = decode

    def parking_with(self, park: Parker, *, max_parked_in_row: int) -> "FetchConsuming":
        """Return the same consumer with the same effects and another place to park."""
        return FetchConsuming(
            self.consumer,
            self._kinds,
            self._effects,
            park,
            decode=self._decode,
            backoff=self._backoff,
            max_parked_in_row=max_parked_in_row,
        )

    async def consume(self, record: Record) -> Outcome:
        """Handle one record that was parked and return its end, as `Consuming.consume` does."""
        read = self._read([record])
        refusals = {}
        for taken in read.taken:
            refusals = await self._alone(taken, partial(self._effects.take_again, taken))
        (outcome,) = await self._settle(read, refusals)
        return outcome

    async def consume_fetch(self, records: Sequence[Record]) -> None:
        """Return when all records may be acknowledged; raises WorkerMustStop, and passes cancellation on unacknowledged."""
        started = time.perf_counter()
        metrics.CONSUMER_BATCH_RECORDS.labels(self.consumer).observe(len(records))
        with span("handle fetch", kind=SpanKind.CONSUMER, attributes={"records": len(records)}) as opened:
            link(opened, _traceparents(records))
            read = self._read(records)
            refusals = await self._take(read.taken)
            await self._settle(read, refusals)
        self._note_ages(read.taken)
        metrics.CONSUMER_SECONDS.labels(self.consumer).observe((time.perf_counter() - started) / max(1, len(records)))

    def _read(self, records: Sequence[Record]) -> _Read:
        read = _Read()
        for record in records:
            try:
                envelope = self._decode(record)
            except UnknownEventType:
                read.ends.append((record, Outcome.SKIPPED, ""))
            except UnreadableEvent as error:
                read.ends.append((record, Outcome.PARKED, f"unreadable: {error.reason}"))
            else:
                if type(envelope.data) in self._kinds:
                    read.taken.append(Taken(record, envelope))
                    read.ends.append((record, Outcome.HANDLED, ""))
                else:
                    read.ends.append((record, Outcome.SKIPPED, ""))
        return read

    async def _take(self, taken: Sequence[Taken]) -> dict[int, str]:
        """Take all at once, or if that fails one by one; gives why which record cannot be taken."""
        if not taken:
            return {}
        try:
            await self._until_dependencies_work(partial(self._effects.take, taken))
        except Exception as error:
            metrics.CONSUMER_BATCHES_SPLIT.labels(self.consumer, type(error).__name__).inc()
        else:
            return {}
        refusals: dict[int, str] = {}
        for each in taken:
            refusals |= await self._alone(each, partial(self._effects.take, [each]))
        return refusals

    async def _alone(self, taken: Taken, work: Callable[[], Awaitable[None]]) -> dict[int, str]:
        try:
            await self._until_dependencies_work(work)
        except Exception as error:
            return {id(taken.record): failure_reason(error)}
        return {}

    async def _settle(self, read: _Read, refusals: dict[int, str]) -> list[Outcome]:
        """Park what cannot be taken and count the rest."""
        if not refusals and all(outcome is not Outcome.PARKED for _, outcome, _ in read.ends):
            self._count_all(read)
            return [outcome for _, outcome, _ in read.ends]
        outcomes = []
        for record, read_as, why in read.ends:
            reason = refusals.get(id(record), why)
            outcome = await self._park(record, reason) if reason else read_as
            self._count(record, outcome)
            outcomes.append(outcome)
        return outcomes

    def _count_all(self, read: _Read) -> None:
        if read.taken:
            self._parked_in_row = 0
        counts = Counter((record.topic, outcome) for record, outcome, _ in read.ends)
        for (topic, outcome), count in counts.items():
            metrics.CONSUMER_RECORDS.labels(self.consumer, topic, outcome.value).inc(count)

    def _note_ages(self, taken: Sequence[Taken]) -> None:
        """Of each kind the oldest of the fetch: noting every event would take as long as handling it."""
        oldest: dict[str, Envelope[Any]] = {}
        for _, envelope in taken:
            known = oldest.get(envelope.type)
            if known is None or envelope.time < known.time:
                oldest[envelope.type] = envelope
        for envelope in oldest.values():
            self._note_age(envelope)


def _traceparents(records: Sequence[Record]) -> Iterator[str]:
    """The traces that the records belong to, in their order."""
    for record in records:
        for name, value in record.headers:
            if name == "traceparent" and value:
                yield value.decode("ascii", "replace")
