"""Redrive: runs dead letters through the consumer's own handlers once more, after what broke them has been mended.

They do not go back to their topic: other consumers have handled them long ago.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from service_kit.consuming import LogRecord, Outcome, Parker, Record
from service_kit.consuming_batches import AnyConsuming
from service_kit.dead_letters import DeadLetters, dead_letter_topic, original_of
from service_kit.kafka_access import KafkaAddress, kafka_access
from service_kit.log_reader import record_of

log = structlog.get_logger(__name__)

_BATCH = 200
_KAFKA_SECONDS = 10
_NEVER = 2**31


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many letters of which topic came to which end."""

    ends: Counter[tuple[str, Outcome]] = field(default_factory=Counter)

    def summary(self) -> str:
        """Return the figures as lines for a terminal."""
        lines = [f"{topic}: {count} {outcome.value}" for (topic, outcome), count in sorted(self.ends.items())]
        return "\n".join(lines) or "no dead letters"


class _ParkAgain:
    """Parks what failed again, with its raised count."""

    def __init__(self, letters: Parker) -> None:
        self._letters = letters
        self.attempts = 1

    async def park(self, record: Record, reason: str, attempts: int = 1) -> None:
        """Keep the record; `attempts` is what this redrive knows, not what the caller says."""
        await self._letters.park(record, reason, max(attempts, self.attempts))


async def redrive(kafka: KafkaAddress, consuming: AnyConsuming, topics: Sequence[str]) -> Redriven:
    """Handle every dead letter that lies on the topics' dead letter topics now; those parked meanwhile wait for the next run."""
    redriven = Redriven()
    letters = _ParkAgain(DeadLetters(kafka, consuming.consumer))
    handling = consuming.parking_with(letters, max_parked_in_row=_NEVER)
    for topic in topics:
        source = _Letters(kafka, dead_letter_topic(topic, consuming.consumer), f"{consuming.consumer}.redrive")
        try:
            await asyncio.to_thread(source.open)
            while batch := await asyncio.to_thread(source.next_batch):
                for letter in batch:
                    redriven.ends[topic, await _handle(letter, handling, letters)] += 1
                await asyncio.to_thread(source.commit)
        finally:
            await asyncio.to_thread(source.close)
    return redriven


class _Letters:
    """The letters of one topic from where the last redrive ended to where the topic ends now; its calls block."""

    def __init__(self, kafka: KafkaAddress, topic: str, group: str) -> None:
        self._topic = topic
        self._ends: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._reader = Consumer(
            {
                **kafka_access(kafka).for_confluent(),
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
        )

    def open(self) -> None:
        metadata = self._reader.list_topics(self._topic, timeout=_KAFKA_SECONDS).topics[self._topic]
        places = [TopicPartition(self._topic, number) for number in metadata.partitions]
        for place in self._reader.committed(places, timeout=_KAFKA_SECONDS):
            first, end = self._reader.get_watermark_offsets(place, timeout=_KAFKA_SECONDS)
            self._ends[place.partition] = end
            self._next[place.partition] = max(first, place.offset)
        self._reader.assign([TopicPartition(self._topic, number, offset) for number, offset in self._next.items()])

    def next_batch(self) -> list[LogRecord]:
        """Return up to 200 letters; empty at the end."""
        while any(self._next[number] < end for number, end in self._ends.items()):
            messages = self._reader.consume(_BATCH, 1.0)
            fresh = [message for message in map(_record_of, messages) if message.offset < self._ends[message.partition]]
            for message in fresh:
                self._next[message.partition] = message.offset + 1
            if fresh:
                return fresh
        return []

    def commit(self) -> None:
        places = [TopicPartition(self._topic, number, offset) for number, offset in self._next.items()]
        self._reader.commit(offsets=places, asynchronous=False)

    def close(self) -> None:
        self._reader.close()


def _record_of(message: Message) -> LogRecord:
    error = message.error()
    if error is not None:
        raise KafkaException(error)
    return record_of(message)


async def _handle(letter: LogRecord, handling: AnyConsuming, again: _ParkAgain) -> Outcome:
    try:
        original, attempts = original_of(letter)
    except ValueError as error:
        log.warning("not_a_dead_letter", topic=letter.topic, offset=letter.offset, reason=str(error))
        return Outcome.SKIPPED
    again.attempts = attempts + 1
    return await handling.consume(original)
