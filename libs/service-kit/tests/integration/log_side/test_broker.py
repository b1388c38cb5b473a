"""A worker that works by the clock too waits for Kafka, and begins as soon as it is there."""

import asyncio

from structlog.testing import capture_logs

from service_kit.broker import wait_for_broker


async def test_a_broker_that_is_there_is_not_waited_for(kafka_topics: str) -> None:
    with capture_logs() as logs:
        await asyncio.wait_for(wait_for_broker(kafka_topics), 30)

    assert logs == []


async def test_a_broker_that_is_away_is_asked_again_and_told_of_once() -> None:
    with capture_logs() as logs:
        waiting = asyncio.create_task(wait_for_broker("127.0.0.1:1", pause_seconds=0.01))
        done, _ = await asyncio.wait({waiting}, timeout=0.5)
        waiting.cancel()

    assert not done
    assert [line["event"] for line in logs] == ["broker.away"]
