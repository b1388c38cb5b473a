"""Waiting for Kafka at the start: a worker that also works by the clock stays up without it instead of ending."""

import asyncio

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from service_kit.kafka_access import KafkaAccess, KafkaAddress, kafka_access

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
_ANSWER_MS = 3_000


async def wait_for_broker(kafka: KafkaAddress, *, pause_seconds: float = PAUSE_SECONDS) -> None:
    """Return once a broker answers; until then it is asked again and again, and only the first silence is told."""
    silent = False
    while not await _answers(kafka_access(kafka)):
        if not silent:
            log.warning("broker.away")
        silent = True
        await asyncio.sleep(pause_seconds)


async def _answers(kafka: KafkaAccess) -> bool:
    client = AIOKafkaClient(**kafka.for_aiokafka(), request_timeout_ms=_ANSWER_MS)
    try:
        await client.bootstrap()
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
    return True
