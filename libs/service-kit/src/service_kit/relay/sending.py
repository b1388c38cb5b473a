"""The relay's Kafka side: an idempotent producer that is filled in chunks, flushed, and thrown away when in doubt."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from service_kit.kafka_access import kafka_access
from service_kit.outbox import unpack_headers
from service_kit.relay.options import RelayOptions
from service_kit.relay.rows import OutboxRow
from service_kit.relay.spans import ProducerSpans

log = structlog.get_logger(__name__)

ProducerFactory: TypeAlias = Callable[[dict[str, Any]], Any]
"""Makes a confluent-kafka producer from its configuration."""

# Rows handed to the producer between two turns of the event loop: about 2 ms.
_CHUNK_ROWS = 100
_FLUSH_SLICE_SECONDS = 0.5

# librdkafka's own codes have a leading underscore; they are part of its documented interface.
_MISSING_TOPIC = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  # see above
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  # see above
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
_ROW_TO_BLAME = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)


# Why Kafka and a client do not come together at all, in the words of whoever has to mend it.
_REFUSALS = {
    KafkaError._SSL: "the certificate or TLS is refused",  # noqa: SLF001  # see above
    KafkaError._AUTHENTICATION: "the name or the password is refused",  # noqa: SLF001  # see above
}


class BrokerTrouble(Exception):  # noqa: N818  # named for what happened
    """Kafka is away or the producer is beyond use: everything unacknowledged has to be sent again by a new one."""


class TopicMissing(Exception):  # noqa: N818  # named for what happened
    """Kafka does not have these topics."""

    def __init__(self, topics: set[str]) -> None:
        super().__init__(", ".join(sorted(topics)))
        self.topics = topics


class RowsSuspected(Exception):  # noqa: N818  # named for what happened
    """Kafka refused a group of records and at least one of these rows is to blame."""

    def __init__(self, ids: set[int], reason: str) -> None:
        super().__init__(reason)
        self.ids = ids
        self.reason = reason


class RowRefused(Exception):  # noqa: N818  # named for what happened
    """This one row cannot be sent; `reason` is Kafka's name for it or one of our own."""

    def __init__(self, id: int, reason: str) -> None:  # noqa: A002  # the column's name
        super().__init__(reason)
        self.id = id
        self.reason = reason


class Sender:
    """Sends rows in order; after any exception but TopicMissing call `open` again before sending more."""

    def __init__(self, options: RelayOptions, make_producer: ProducerFactory = Producer) -> None:
        self._options = options
        self._make_producer = make_producer
        self._producer: Any = None
        self._refusals: list[tuple[KafkaError, Message]] = []
        self._turned_away: str | None = None
        self._spans = ProducerSpans()

    async def open(self) -> set[str]:
        """Throw the old producer away, make a new one and return the declared topics that Kafka lacks; or BrokerTrouble."""
        await self.close()
        self._refusals, self._turned_away = [], None
        self._producer = self._make_producer(self._configuration())
        existing = await self.existing_topics()
        return set(self._options.topics - existing)

    async def existing_topics(self) -> set[str]:
        """Ask Kafka for its topics; raises BrokerTrouble, which says why, when it does not answer within two seconds."""
        try:
            metadata = await asyncio.to_thread(self._producer.list_topics, timeout=2)
        except KafkaException as error:
            # What librdkafka heard of a broker that it cannot talk to comes by the callback only.
            self._producer.poll(0)
            raise BrokerTrouble(self._turned_away or error.args[0].name()) from error
        return set(metadata.topics)

    async def close(self) -> None:
        """Forget what has not been acknowledged; the outbox still has it."""
        producer, self._producer = self._producer, None
        self._spans.end()
        if producer is not None:
            await asyncio.to_thread(_discard, producer)

    async def produce(self, rows: Sequence[OutboxRow], suspects: set[int]) -> None:
        """Hand rows to the producer in order; those under suspicion go one by one, each alone in its request."""
        if suspects.isdisjoint(row[0] for row in rows):
            await self._fill(rows)
            return
        for row in rows:
            if row[0] in suspects:
                await self._send_alone(row)
            else:
                await self._fill([row])

    async def flush(self, rows: Sequence[OutboxRow]) -> None:
        """Return when everything produced is acknowledged; `rows` are those sent since the last flush."""
        left, idle = len(self._producer), 0.0
        while left:
            remaining = await asyncio.to_thread(self._producer.flush, _FLUSH_SLICE_SECONDS)
            idle = idle + _FLUSH_SLICE_SECONDS if remaining >= left else 0.0
            left = remaining
            if idle >= self._options.stall_seconds:
                raise BrokerTrouble("no acknowledgements")
        self._spans.end()
        self._judge(rows)

    async def _send_alone(self, row: OutboxRow) -> None:
        await self.flush([])
        await self._fill([row])
        try:
            await self.flush([row])
        except RowsSuspected as error:
            raise RowRefused(row[0], error.reason) from error

    async def _fill(self, rows: Sequence[OutboxRow]) -> None:
        done = 0
        while done < len(rows):
            chunk = rows[done : done + _CHUNK_ROWS]
            taken = self._fill_chunk(chunk)
            self._producer.poll(0)
            done += taken
            # A full queue needs acknowledgements before it takes more.
            await asyncio.sleep(0 if taken == len(chunk) else 0.005)

    def _fill_chunk(self, chunk: Sequence[OutboxRow]) -> int:
        """Hand rows over until the queue is full and return how many fitted."""
        produce = self._producer.produce
        headers_of = self._spans.headers_of if self._spans.are_recorded else _headers_of
        taken = 0
        try:
            for row in chunk:
                _, topic, key, _, payload, timestamp = row
                produce(topic, payload, key, timestamp=timestamp, headers=headers_of(row))
                taken += 1
        except BufferError:
            return taken
        except KafkaException as error:
            raise _trouble_with(chunk[taken], error.args[0]) from error
        except (ValueError, TypeError) as error:
            raise RowRefused(chunk[taken][0], "malformed headers") from error
        return taken

    def check(self, rows: Sequence[OutboxRow]) -> None:
        """Raise RowRefused for the first row that must not even be tried."""
        topics, most = self._options.topics, self._options.record_bytes
        for row in rows:
            if row[1] not in topics:
                raise RowRefused(row[0], "unknown topic")
            if len(row[4]) + len(row[3]) + len(row[2]) > most:
                raise RowRefused(row[0], "too large")

    def _judge(self, rows: Sequence[OutboxRow]) -> None:
        refusals, self._refusals = self._refusals, []
        if not refusals:
            return
        codes = {error.code() for error, _ in refusals}
        missing = {str(message.topic()) for error, message in refusals if error.code() in _MISSING_TOPIC}
        if missing and codes <= _MISSING_TOPIC | _ROW_TO_BLAME:
            raise TopicMissing(missing)
        if not codes <= _ROW_TO_BLAME:
            raise BrokerTrouble(", ".join(sorted(error.name() for error, _ in refusals)[:3]))
        refused = {(message.key(), message.value()) for _, message in refusals}
        raise RowsSuspected({row[0] for row in rows if (row[2], row[4]) in refused}, refusals[0][0].name())

    def _configuration(self) -> dict[str, Any]:
        return {
            **kafka_access(self._options.bootstrap).for_confluent(),
            "client.id": "relay",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 100_000,
            "queue.buffering.max.kbytes": 262_144,
            # Rows wait in the outbox, not in the producer: nothing is given up while the broker is away.
            "message.timeout.ms": 0,
            "message.max.bytes": 2_000_000,
            "allow.auto.create.topics": False,
            "topic.metadata.propagation.max.ms": 2000,
            "topic.metadata.refresh.interval.ms": 10_000,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "socket.keepalive.enable": True,
            "log_level": 2,
            "delivery.report.only.error": True,
            "on_delivery": self._on_refusal,
            "error_cb": self._on_error,
            **self._options.producer,
        }

    def _on_refusal(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._refusals.append((error, message))

    def _on_error(self, error: KafkaError) -> None:
        self._turned_away = _REFUSALS.get(error.code(), self._turned_away)
        log.warning("relay_kafka_error", error=error.name(), fatal=error.fatal())


def _headers_of(row: OutboxRow) -> dict[str, str]:
    return unpack_headers(row[3])


def _trouble_with(row: OutboxRow, error: KafkaError) -> Exception:
    if error.code() in _MISSING_TOPIC:
        return TopicMissing({row[1]})
    if error.code() in _ROW_TO_BLAME:
        return RowRefused(row[0], error.name())
    return BrokerTrouble(error.name())


def _discard(producer: Any) -> None:
    producer.purge()
    producer.flush(1)
