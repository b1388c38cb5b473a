"""Dead letters: what a consumer cannot handle is kept on `<topic>.<consumer>.dlq`, whole, with the reason beside it."""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from service_kit.consuming import LogRecord, Record
from service_kit.kafka_access import KafkaAddress, kafka_access

REASON = "dlq_reason"
TOPIC = "dlq_topic"
PARTITION = "dlq_partition"
OFFSET = "dlq_offset"
TIMESTAMP = "dlq_timestamp"
ATTEMPTS = "dlq_attempts"
CUT_FROM = "dlq_value_cut_from"
_PREFIX = "dlq_"

_FLUSH_SECONDS = 10
# What is kept of a record so large that its dead letter, which carries more headers, would be refused.
_CUT_BYTES = 500_000


def dead_letter_topic(topic: str, consumer: str) -> str:
    """Return the name of the topic where `consumer` parks records of `topic`."""
    return f"{topic}.{consumer}.dlq"


class DeadLetters:
    """The parker of a consumer: writes to Kafka and returns once all replicas have the record."""

    def __init__(self, kafka: KafkaAddress, consumer: str) -> None:
        self._kafka = kafka_access(kafka)
        self._consumer = consumer

    async def park(self, record: Record, reason: str, attempts: int = 1) -> None:
        """Keep the record; raises ConnectionError while Kafka cannot take it."""
        headers = [*_without_own(record.headers), *_own_headers(record, reason, attempts)]
        try:
            await asyncio.to_thread(self._send, record, record.value, headers)
        except ValueError:
            size = len(record.value or b"")
            cut = (record.value or b"")[:_CUT_BYTES]
            await asyncio.to_thread(self._send, record, cut, [*headers, (CUT_FROM, str(size).encode())])

    def _send(self, record: Record, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
        failures: list[KafkaError] = []

        def report(error: KafkaError | None, _: Any) -> None:
            if error is not None:
                failures.append(error)

        topic = dead_letter_topic(record.topic, self._consumer)
        try:
            self._producer.produce(topic, value, record.key, headers=headers, on_delivery=report)
        except KafkaException as error:
            failures.append(error.args[0])
        left = self._producer.flush(_FLUSH_SECONDS)
        if failures and failures[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
            raise ValueError("too large")
        if failures or left:
            raise ConnectionError(f"the dead letter was not acknowledged: {failures[0].name() if failures else 'no answer'}")

    @cached_property
    def _producer(self) -> Any:
        return Producer(
            {
                **self._kafka.for_confluent(),
                "client.id": f"{self._consumer}-dead-letters",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "message.max.bytes": 2_000_000,
                "delivery.timeout.ms": 8000,
                "topic.metadata.propagation.max.ms": 2000,
                "allow.auto.create.topics": False,
                "log_level": 2,
            }
        )


def original_of(letter: Record) -> tuple[LogRecord, int]:
    """Return the record as it was before it was parked, and how often it has been tried; raises ValueError if it is no letter."""
    own = {name: value for name, value in letter.headers if name.startswith(_PREFIX) and value is not None}
    try:
        topic, attempts = own[TOPIC].decode(), int(own[ATTEMPTS])
        partition, offset, timestamp = (int(own[name]) for name in (PARTITION, OFFSET, TIMESTAMP))
    except KeyError as error:
        raise ValueError(f"a dead letter needs the header {error.args[0]}") from error
    headers = _without_own(letter.headers)
    return LogRecord(topic, partition, offset, timestamp, letter.key, letter.value, headers), attempts


def _without_own(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    return [(name, value) for name, value in headers if not name.startswith(_PREFIX)]


def _own_headers(record: Record, reason: str, attempts: int) -> list[tuple[str, bytes | None]]:
    facts = {
        REASON: reason,
        TOPIC: record.topic,
        PARTITION: record.partition,
        OFFSET: record.offset,
        TIMESTAMP: record.timestamp,
        ATTEMPTS: attempts,
    }
    return [(name, str(fact).encode()) for name, fact in facts.items()]
