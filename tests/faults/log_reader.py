"""Read a topic from its beginning to its end, as a checker sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from confluent_kafka import Consumer, KafkaException, TopicPartition

LIMIT_SECONDS = 60.0
_ONE_ANSWER_SECONDS = 5.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Seen:
    """One record: where it stands, its key, the id and type in its envelope, its body."""

    partition: int
    offset: int
    key: bytes
    event_id: UUID
    type: str
    tenant_id: UUID
    value: bytes


def read_topic(bootstrap: str, topic: str) -> list[Seen]:
    """Every record that the topic holds now, as an event; in order per partition."""
    return [_seen(message) for message in read_messages(bootstrap, topic)]


def read_messages(bootstrap: str, topic: str) -> list[Any]:
    """Every record that the topic holds now, as it came, for they need not be events; TimeoutError if it does not come."""
    with _consumer(bootstrap) as consumer:
        places = _places(consumer, topic)
        ends = {place.partition: _end(consumer, place) for place in places}
        consumer.assign([TopicPartition(topic, number, 0) for number in ends])
        wanted = {number for number, end in ends.items() if end}
        found: list[Any] = []
        deadline = time.monotonic() + LIMIT_SECONDS
        while wanted:
            # It waits for as many as it was asked for, or for the whole time.
            messages = consumer.consume(1000, timeout=0.2)
            if messages:
                deadline = time.monotonic() + LIMIT_SECONDS
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{topic} did not deliver what it holds")
            delivered: list[Any] = [message for message in messages if message.error() is None]
            found += delivered
            wanted -= {message.partition() for message in delivered if message.offset() + 1 >= ends[message.partition()]}
        return found


def ends_of(bootstrap: str, topic: str) -> dict[int, int]:
    """The end of each partition now."""
    with _consumer(bootstrap) as consumer:
        return {place.partition: _end(consumer, place) for place in _places(consumer, topic)}


def is_read(bootstrap: str, topic: str, group: str) -> bool:
    """Whether the consumer group has acknowledged everything that the topic holds now."""
    with _consumer(bootstrap, group) as consumer:
        places = _places(consumer, topic)
        # The group's coordinator is chosen when somebody first asks for it.
        committed = _answer(lambda: consumer.committed(places, timeout=_ONE_ANSWER_SECONDS))
        return all(max(0, place.offset) >= _end(consumer, place) for place in committed)


@contextmanager
def _consumer(bootstrap: str, group: str = "checker") -> Iterator[Consumer]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0})
    try:
        yield consumer
    finally:
        consumer.close()


def _places(consumer: Consumer, topic: str) -> list[TopicPartition]:
    """The partitions of a topic, which has to be there: no partitions would read as an empty log."""

    def ask() -> list[TopicPartition]:
        found = consumer.list_topics(topic, timeout=_ONE_ANSWER_SECONDS).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return [TopicPartition(topic, number) for number in found.partitions]

    return _answer(ask)


def _end(consumer: Consumer, place: TopicPartition) -> int:
    return _answer(lambda: int(consumer.get_watermark_offsets(place, timeout=_ONE_ANSWER_SECONDS)[1]))


def _answer(ask: Callable[[], Answer]) -> Answer:
    """What Kafka answers; brokers that are about to agree on a leader are asked again."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        try:
            return ask()
        except KafkaException:
            # A broker just lost shows as one of a dozen errors; what remains an error for so long is raised.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _seen(message: Any) -> Seen:
    headers = dict(message.headers() or ())
    return Seen(
        partition=message.partition(),
        offset=message.offset(),
        key=message.key() or b"",
        event_id=UUID(headers["ce_id"].decode()),
        type=headers["ce_type"].decode(),
        tenant_id=UUID(headers["ce_tenantid"].decode()),
        value=message.value(),
    )
