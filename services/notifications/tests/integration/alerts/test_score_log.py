"""How far scores were read is what Kafka says that the group has committed, for all workers together."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from bloom_events.appointments import TherapistProfileChanged
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import TenantId, TherapistId
from bloom_events.topics import RISK_SCORES
from notifications.clients.score_log import KafkaScoreLog
from service_kit.testing import FixedClock


@pytest.fixture
def group() -> str:
    return f"score-log-{uuid4()}"


@pytest.fixture
async def score_log(kafka_topics: str, group: str, clock: FixedClock) -> AsyncIterator[KafkaScoreLog]:
    log = KafkaScoreLog(kafka_topics, group, clock=clock)
    yield log
    await log.close()


def produce(bootstrap: str) -> None:
    """Put a record on every partition that workers of other tests, which read the same topic, pass over."""
    event = TherapistProfileChanged(
        therapist_id=TherapistId(uuid4()), display_name="Dr. Elsewhere", accepts_new_patients=False, time_zone="UTC"
    )
    told = wrap(event, source="/bloom/nobody", tenant_id=TenantId(uuid4()), time=datetime.now(UTC), correlation_id=uuid4())
    _, key, value, headers, _ = to_kafka(told)
    producer = Producer({"bootstrap.servers": bootstrap})
    for partition in range(RISK_SCORES.partitions):
        producer.produce(RISK_SCORES.name, value, key, headers=list(headers), partition=partition)
    assert producer.flush(20) == 0


def commit_everything(bootstrap: str, group: str, *, but: int = 0) -> None:
    """Commit the end of every partition for the group, of the first one so many records less."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    ends = []
    for partition in range(RISK_SCORES.partitions):
        _, end = consumer.get_watermark_offsets(TopicPartition(RISK_SCORES.name, partition), timeout=20)
        ends.append(TopicPartition(RISK_SCORES.name, partition, end - (but if partition == 0 else 0)))
    consumer.commit(offsets=ends, asynchronous=False)
    consumer.close()


async def test_nothing_is_said_until_all_that_was_there_is_committed(
    score_log: KafkaScoreLog, kafka_topics: str, group: str, clock: FixedClock
) -> None:
    produce(kafka_topics)
    asked_at = clock()

    assert await score_log.handled_until() is None
    commit_everything(kafka_topics, group, but=1)
    assert await score_log.handled_until() is None
    commit_everything(kafka_topics, group)
    clock.advance(seconds=9)

    assert await score_log.handled_until() == asked_at


async def test_what_came_later_does_not_move_what_was_asked_but_is_asked_next(
    score_log: KafkaScoreLog, kafka_topics: str, group: str, clock: FixedClock
) -> None:
    produce(kafka_topics)
    commit_everything(kafka_topics, group)
    first: datetime = clock()
    assert await score_log.handled_until() == first

    produce(kafka_topics)
    clock.advance(seconds=1)
    assert await score_log.handled_until() == first
    commit_everything(kafka_topics, group)
    produce(kafka_topics)

    assert await score_log.handled_until() == first + timedelta(seconds=1)


async def test_while_kafka_is_away_nothing_is_said_and_nothing_raised() -> None:
    log = KafkaScoreLog("127.0.0.1:1", "nobody")

    assert await log.handled_until() is None
    assert await log.handled_until() is None
    await log.close()
