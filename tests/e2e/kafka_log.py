"""Reads all that lies on Kafka, and writes what nobody should write there."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from bloom_events.topics import Topic, all_topics


class Lying(NamedTuple):
    """A record as it lies in the log."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes | None]

    @property
    def type(self) -> str:
        """The wire type of the event, empty where there is none."""
        return (self.headers.get("ce_type") or b"").decode(errors="replace")

    def header(self, name: str) -> str:
        """A header as text."""
        return (self.headers.get(name) or b"").decode(errors="replace")


def read(bootstrap: str, topics: Sequence[Topic] = all_topics()) -> list[Lying]:
    """Every record of these topics, up to what is there now, in order per partition."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "e2e", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({**settings, "fetch.wait.max.ms": 10})
    try:
        ends = _ends(consumer, topics)
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in ends])
        return _read_to(consumer, ends)
    finally:
        consumer.close()


def about(records: Sequence[Lying], kind: str, *ids: str) -> list[Lying]:
    """The events of one type whose body holds all of these ids."""
    return [one for one in records if one.type == kind and all(each.encode() in (one.value or b"") for each in ids)]


def write(bootstrap: str, topic: str, value: bytes | None, headers: dict[str, bytes], *, key: bytes | None = b"nobody") -> None:
    """Put a record on a topic and wait until it is there."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0, "log_level": 0})
    producer.produce(topic, value, key, headers=list(headers.items()))
    assert producer.flush(20) == 0


def _ends(consumer: Any, topics: Sequence[Topic]) -> dict[tuple[str, int], int]:
    """The end of every partition that holds something."""
    ends = {}
    for topic in topics:
        for partition in range(topic.partitions):
            _, end = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=10)
            if end:
                ends[topic.name, partition] = end
    return ends


def _read_to(consumer: Any, ends: dict[tuple[str, int], int]) -> list[Lying]:
    found: list[Lying] = []
    behind = set(ends)
    while behind:
        for record in consumer.consume(1000, timeout=0.02):
            assert record.error() is None, record.error()
            found.append(Lying(record.topic(), record.key(), record.value(), dict(record.headers() or ())))
            place = (record.topic(), record.partition())
            if record.offset() + 1 >= ends[place]:
                behind.discard(place)
    return found
