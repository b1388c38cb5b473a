"""Reads along on every topic while something happens, and tells which events came, where they lie, and how soon."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.registry import UnknownEventType, UnreadableEvent, unwrap
from bloom_events.topics import TOPICS
from local_stack.errors import StackError
from local_stack.process import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer


@dataclass(frozen=True)
class Seen:
    """An event with its place in the log and the moment at which it could be read there."""

    envelope: Envelope[Event]
    topic: str
    partition: int
    offset: int
    at: datetime


@dataclass
class Tail:
    """Reads every topic of record from its end on, in a thread, while its block runs; it joins no consumer group."""

    bootstrap: str
    _seen: list[Seen] = field(default_factory=list)
    _told: set[UUID] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        consumer = self._assigned()
        self._thread = threading.Thread(target=self._read, args=(consumer,), name="tail")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def await_events(self, types: Sequence[str], about: Collection[UUID], *, limit_seconds: float = 30.0) -> list[Seen]:
        """For each type the next event, not given before, that concerns one of these ids; StackError when it does not come."""
        return [self._await_event(wanted, {str(one) for one in about}, limit_seconds) for wanted in types]

    def cause_of(self, seen: Seen) -> Seen | None:
        """The event that led to this one, if it was read too."""
        cause = seen.envelope.causation_id
        return next((each for each in self._seen if each.envelope.id == cause), None)

    def _await_event(self, wanted: str, about: set[str], limit_seconds: float) -> Seen:
        def next_one() -> Seen | None:
            fresh = (seen for seen in list(self._seen) if seen.envelope.id not in self._told)
            return next((seen for seen in fresh if seen.envelope.type == wanted and about & _ids_in(seen)), None)

        wait_until(lambda: next_one() is not None, limit_seconds, pause=0.01)
        found = next_one()
        if found is None:
            raise StackError(
                "demo", f"no {wanted} on Kafka after {limit_seconds:.0f} s; look at the relay's and the worker's logs"
            )
        self._told.add(found.envelope.id)
        return found

    def _assigned(self) -> "Consumer":
        from confluent_kafka import Consumer, TopicPartition

        settings = {"bootstrap.servers": self.bootstrap, "group.id": "demo-tail", "enable.auto.commit": False, "log_level": 0}
        consumer = Consumer({**settings, "fetch.wait.max.ms": 10})
        ends = []
        for topic in TOPICS:
            for partition in range(topic.partitions):
                place = TopicPartition(topic.name, partition)
                _, place.offset = consumer.get_watermark_offsets(place, timeout=10)
                ends.append(place)
        consumer.assign(ends)
        return consumer

    def _read(self, consumer: Any) -> None:
        while not self._stop.is_set():
            for record in consumer.consume(100, timeout=0.05):
                at = datetime.now(UTC)
                if record.error() is None:
                    self._keep(record, at)
        consumer.close()

    def _keep(self, record: Any, at: datetime) -> None:
        try:
            envelope = unwrap(record.headers(), record.value())
        except (UnreadableEvent, UnknownEventType):
            return  # Whoever reads along shows what it knows; the consumers park or count the rest.
        self._seen.append(Seen(envelope, record.topic(), record.partition(), record.offset(), at))


def _ids_in(seen: Seen) -> set[str]:
    return {str(value) for value in seen.envelope.data.__dict__.values() if isinstance(value, UUID)}


def milliseconds(since: datetime, until: datetime) -> float:
    """The time between two moments."""
    return (until - since).total_seconds() * 1000
