"""The policy of `consuming` for consumers whose effects are one transaction per fetch, however many records it holds.

A fetch that fails is handled record by record, so that one bad record parks itself alone.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

from opentelemetry.trace import SpanKind

from bloom_events.event import Event
from service_kit import metrics
from service_kit.consuming import (
    MAX_PARKED_IN_ROW,
    Backoff,
    Decode,
    Found,
    Outcome,
    Parker,
    Policy,
    Record,
    Unhandled,
    failure_reason,
    read_record,
)
from service_kit.tracing import link, span

Read = TypeVar("Read", bound=Found)


class Taken(NamedTuple, Generic[Read]):
    """A record with what was read of the event that it carries."""

    record: Record
    event: Read


class FetchEffects(Protocol[Read]):
    """What a consumer does about its records."""

    async def take(self, taken: Sequence[Taken[Read]]) -> None:
        """Make the effects durable, each event once and all or none; it may see the same events again."""
        ...

    async def take_again(self, taken: Taken[Read]) -> None:
        """Do the same for a record that was parked: others behind it were taken long ago."""
        ...


_TAKEN = Unhandled(Outcome.HANDLED)


@dataclass(slots=True)
class _Fetch(Generic[Read]):
    """What reading a fetch came to; `ends` has one entry a record, in their order: why it is parked, or its end."""

    taken: list[Taken[Read]] = field(default_factory=list)
    ends: list[tuple[Record, Unhandled]] = field(default_factory=list)


class FetchConsuming(Policy, Generic[Read]):
    """Runs the records of one consumer through its effects, a fetch at a time."""

    def __init__(
        self,
        consumer: str,
        kinds: Collection[type[Event]],
        effects: FetchEffects[Read],
        park: Parker,
        *,
        decode: Decode[Read],
        backoff: Backoff | None = None,
        max_parked_in_row: int = MAX_PARKED_IN_ROW,
    ) -> None:
        super().__init__(consumer, park, backoff=backoff, max_parked_in_row=max_parked_in_row)
        self._types = frozenset(kind.TYPE for kind in kinds)
        self._kinds = kinds
        self._effects = effects
        self._decode = decode

    def parking_with(self, park: Parker, *, max_parked_in_row: int) -> "FetchConsuming[Read]":
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

    def _read(self, records: Sequence[Record]) -> _Fetch[Read]:
        fetch = _Fetch[Read]()
        for record in records:
            found = read_record(record, self._decode, self._types)
            if isinstance(found, Unhandled):
                fetch.ends.append((record, found))
            else:
                fetch.taken.append(Taken(record, found))
                fetch.ends.append((record, _TAKEN))
        return fetch

    async def _take(self, taken: Sequence[Taken[Read]]) -> dict[int, str]:
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

    async def _alone(self, taken: Taken[Read], work: Callable[[], Awaitable[None]]) -> dict[int, str]:
        try:
            await self._until_dependencies_work(work)
        except Exception as error:
            return {id(taken.record): failure_reason(error)}
        return {}

    async def _settle(self, read: _Fetch[Read], refusals: dict[int, str]) -> list[Outcome]:
        """Park what cannot be taken and count the rest."""
        if not refusals and not any(end.reason for _, end in read.ends):
            self._count_all(read)
            return [end.outcome for _, end in read.ends]
        outcomes = []
        for record, end in read.ends:
            reason = refusals.get(id(record), end.reason)
            outcome = await self._park(record, reason) if reason else end.outcome
            self._count(record, outcome)
            outcomes.append(outcome)
        return outcomes

    def _count_all(self, read: _Fetch[Read]) -> None:
        if read.taken:
            self._parked_in_row = 0
        counts = Counter((record.topic, end.outcome) for record, end in read.ends)
        for (topic, outcome), count in counts.items():
            metrics.CONSUMER_RECORDS.labels(self.consumer, topic, outcome.value).inc(count)

    def _note_ages(self, taken: Sequence[Taken[Read]]) -> None:
        """Of each kind the oldest of the fetch: noting every event would take as long as handling it."""
        oldest: dict[str, Read] = {}
        for _, event in taken:
            known = oldest.get(event.type)
            if known is None or event.time < known.time:
                oldest[event.type] = event
        for event in oldest.values():
            self._note_age(event)


def _traceparents(records: Sequence[Record]) -> Iterator[str]:
    """The traces that the records belong to, in their order."""
    for record in records:
        for name, value in record.headers:
            if name == "traceparent" and value:
                yield value.decode("ascii", "replace")
