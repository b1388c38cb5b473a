"""The log read by place: this reader belongs to no group, and nobody is told how far it came. Its calls block."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from service_kit.consuming import LogRecord
from service_kit.kafka_access import KafkaAddress, kafka_access

_ANSWER_SECONDS = 10.0
_WAIT_SECONDS = 0.25
# What Kafka's protocol takes for "behind the last record" in the place of a moment.
_LATEST = -1
_LEADER_CHANGES = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
_RECORDS_AT_A_TIME = 2_000
# Per partition; only one is read at a time.
_AHEAD_KILOBYTES = 16_384


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class LogCut(Exception):  # noqa: N818  # named for what happened to the log
    """The log no longer holds what is to be read, or never did: it was cut or made anew, and somebody has to look at it."""


class LogReader:
    """Reads stretches of partitions; whoever asked for it closes it. `name` is what brokers call it in their logs."""

    def __init__(self, kafka: KafkaAddress, *, name: str) -> None:
        # Who is cancelled leaves a call behind on its thread: what comes next waits for it.
        self._one_at_a_time = Lock()
        self._consumer = Consumer(
            {
                **kafka_access(kafka).for_confluent(),
                # A name is asked for, but no group is joined and no offset kept.
                "group.id": name,
                "client.id": name,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                # What is asked for is there: a request left over from the stretch before must not hold up the next one.
                "fetch.wait.max.ms": 20,
                "queued.max.messages.kbytes": _AHEAD_KILOBYTES,
                "log_level": 2,
            }
        )

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """Where each partition of these topics ends now; raises KafkaException while Kafka or a topic is away."""
        return self._asked(topics, _LATEST)

    def starts(self, topics: Iterable[str], since: datetime) -> dict[Place, int]:
        """The first offset of each partition whose record is from then or later; where there is none, the end."""
        wanted = list(topics)
        ends, found = self.ends(wanted), self._asked(wanted, math.floor(since.timestamp() * 1000))
        return {place: found[place] if found[place] >= 0 else end for place, end in ends.items()}

    def read(self, topic: str, partition: int, first: int, until: int, limit: int) -> tuple[list[LogRecord], int]:
        """Up to some more than `limit` records from `first` on, before `until`, and the offset from which to go on."""
        with self._one_at_a_time:
            self._consumer.assign([TopicPartition(topic, partition, first)])
            try:
                return self._taken(first, until, limit)
            finally:
                self._consumer.unassign()

    def close(self) -> None:
        """Leave Kafka."""
        with self._one_at_a_time:
            self._consumer.close()

    def _taken(self, first: int, until: int, limit: int) -> tuple[list[LogRecord], int]:
        records: list[LogRecord] = []
        following = first
        deadline = time.monotonic() + _ANSWER_SECONDS
        while following < until and len(records) < limit:
            # It waits until there are so many, or until the time is over: there may be fewer, for offsets have gaps.
            messages = self._consumer.consume(min(_RECORDS_AT_A_TIME, limit, until - following), _WAIT_SECONDS)
            for message in messages:
                following = max(following, _following(message))
                if message.error() is None and int(message.offset() or 0) < until:
                    records.append(record_of(message))
            if messages:
                deadline = time.monotonic() + _ANSWER_SECONDS
            elif time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001  # its names for local errors begin so
        return records, min(following, until)

    def _asked(self, topics: Iterable[str], moment: int) -> dict[Place, int]:
        """Ask for the offsets of a moment in milliseconds, of all partitions at once."""
        with self._one_at_a_time:
            known = self._consumer.list_topics(timeout=_ANSWER_SECONDS).topics
            asked = [TopicPartition(topic, number, moment) for topic in topics for number in _partitions(known, topic)]
            answers = _patiently(lambda: self._consumer.offsets_for_times(asked, timeout=_ANSWER_SECONDS))
        for answer in answers:
            if answer.error is not None:
                raise KafkaException(answer.error)
        return {Place(answer.topic, answer.partition): answer.offset for answer in answers}


def _partitions(known: Mapping[str, Any], topic: str) -> list[int]:
    if topic not in known:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    return sorted(known[topic].partitions)


def _patiently(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """Ask again while partitions are just changing their leader, as those of new topics do."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _LEADER_CHANGES or time.monotonic() > deadline:
                raise
        time.sleep(_WAIT_SECONDS)


def _following(message: Message) -> int:
    """The offset behind this record or, at an end, of the next one that will come; raises what went wrong."""
    error = message.error()
    if error is None:
        return int(message.offset() or 0) + 1
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # as above
        return int(message.offset() or 0)
    if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001  # as above
        raise LogCut(f"{message.topic()} {message.partition()}")
    raise KafkaException(error)


def record_of(message: Message) -> LogRecord:
    """The record in the form that this house's readers share."""
    return LogRecord(
        str(message.topic()),
        int(message.partition() or 0),
        int(message.offset() or 0),
        message.timestamp()[1],
        message.key(),
        message.value(),
        cast("list[tuple[str, bytes | None]]", message.headers() or []),
    )
