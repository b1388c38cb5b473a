"""How far this service has read the topic of scores, asked of Kafka: it holds for all workers together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bloom_events.topics import RISK_SCORES
from service_kit.kafka_access import KafkaAddress, kafka_access
from service_kit.unit_of_work import Clock, utc_now

log = structlog.get_logger(__name__)

_ANSWER_MS = 5_000


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where the topic ended at a moment."""

    at: datetime
    offsets: Mapping[TopicPartition, int]


class KafkaScoreLog:
    """Compares where the topic ended at a moment with what the group has committed since."""

    def __init__(self, kafka: KafkaAddress, group: str, *, clock: Clock = utc_now) -> None:
        self._kafka = kafka_access(kafka)
        self._group = group
        self._clock = clock
        self._consumer: AIOKafkaConsumer | None = None
        self._asked: _Ends | None = None
        self._handled_until: datetime | None = None
        self._is_away = False

    async def handled_until(self) -> datetime | None:
        """A moment up to which every score that was in Kafka has been handled and committed; None while Kafka does not say."""
        try:
            handled_until = await self._compared()
        except (KafkaError, OSError, TimeoutError) as error:
            if not self._is_away:
                log.warning("score_log.not_read", error=type(error).__name__)
            self._is_away = True
            await self.close()
            return None
        self._is_away = False
        return handled_until

    async def close(self) -> None:
        """Leave Kafka."""
        consumer, self._consumer, self._asked = self._consumer, None, None
        if consumer is not None:
            await consumer.stop()

    async def _compared(self) -> datetime | None:
        consumer = await self._connected()
        if self._asked is None:
            partitions = [TopicPartition(RISK_SCORES.name, number) for number in range(RISK_SCORES.partitions)]
            at = self._clock()
            self._asked = _Ends(at, await consumer.end_offsets(partitions))
        if await self._have_reached(consumer, self._asked):
            self._handled_until, self._asked = self._asked.at, None
        return self._handled_until

    async def _have_reached(self, consumer: AIOKafkaConsumer, ends: _Ends) -> bool:
        for partition, end in ends.offsets.items():
            if end > 0 and (await consumer.committed(partition) or 0) < end:
                return False
        return True

    async def _connected(self) -> AIOKafkaConsumer:
        """A consumer that never joins the group: it only asks what the group has committed."""
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._kafka.for_aiokafka(),
                group_id=self._group,
                enable_auto_commit=False,
                request_timeout_ms=_ANSWER_MS,
            )
            # Kept before it starts: one that could not has to be closed too.
            self._consumer = consumer
            await consumer.start()
        return self._consumer
