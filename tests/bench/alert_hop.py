"""Rows about the hop through notifications alone: from a score on Kafka to its alert, and from a deadline to its escalation."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from confluent_kafka import Producer
from pydantic import SecretStr
from tests.bench.measure import percentile
from tests.faults.crash_notifications import scored_message
from tests.faults.lab import Lab, World
from tests.faults.row import until

from bloom_events.alerts import ChainStep
from bloom_events.envelope import Envelope, to_kafka, wrap
from bloom_events.event import Event
from bloom_events.ids import TenantId, UserId, new_id
from bloom_events.risk import RiskLevel
from notifications.domain.chain import MAX_DEADLINE_SECONDS, Deadlines
from notifications.use_cases.chains import set_chain
from notifications.use_cases.messages import hear_score
from service_kit.database import create_pool
from service_kit.unit_of_work import Context, UnitOfWork, utc_now
from tools.results import Row

SCORES_PER_SECOND, HIGH_RISK_EVERY = 100, 20
SPREAD, SPACING_SECONDS, BURST = 300, 0.05, 100
_STEP_SECONDS = 5
_LIMIT_SECONDS = 120.0
_WRITTEN = """
    select convert_from(key, 'UTF8')::uuid as alert_id, created_at,
        convert_from(payload, 'UTF8')::jsonb ->> 'message_id' as message_id
    from outbox where type = $1 and tenant_id = $2
"""


async def alert_hop(*, long: bool) -> list[Row]:
    """What one worker does with scores at 100/s, and two workers with deadlines, one by one and a hundred at once."""
    async with Lab() as lab, lab.world() as world:
        eye = await world.superuser("notifications")
        try:
            worker = await world.started("notifications", "worker")
            raised = await _raised(world, eye, seconds=60 if long else 15)
            await world.started("notifications", "worker", instance=2)
            late, burst = await _escalated(world, eye, SPREAD, SPACING_SECONDS), await _escalated(world, eye, BURST, 0.0)
            worker.stop()
        finally:
            await eye.close()
    p99, worst = percentile(raised, 0.99), max(late)
    detail: dict[str, object] = {"p50": round(percentile(raised, 0.5), 2), "worst": round(max(raised), 2), "alerts": len(raised)}
    lateness: dict[str, object] = {
        "p50": round(percentile(late, 0.5), 2),
        "p99": round(percentile(late, 0.99), 2),
        "deadlines": len(late),
        f"worst_of_{BURST}_at_once": round(max(burst), 2),
    }
    name = f"score on Kafka to committed alert at {SCORES_PER_SECOND}/s, p99"
    return [
        Row("score-to-alert", name, round(p99, 2), "ms", "<= 25", p99 <= 25, detail),
        Row(
            "escalation-late", "deadline to committed escalation, worst", round(worst, 2), "ms", "<= 250", worst <= 250, lateness
        ),
    ]


async def _raised(world: World, eye: asyncpg.Connection[asyncpg.Record], *, seconds: int) -> list[float]:
    """Milliseconds from handing each high score to Kafka until its alert was written, in the transaction that then commits."""
    tenant_id = TenantId(new_id())
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap, "linger.ms": 0, "acks": "all"})
    handed: dict[str, datetime] = {}
    began = time.monotonic()
    for number in range(SCORES_PER_SECOND * seconds):
        is_high = number % HIGH_RISK_EVERY == 0
        event = scored_message((UserId(new_id()),), utc_now(), RiskLevel.HIGH if is_high else RiskLevel.LOW)
        message = to_kafka(_told(tenant_id, event))
        if is_high:
            handed[str(event.message_id)] = utc_now()
        producer.produce(message.topic, message.value, message.key, headers=list(message.headers))
        producer.poll(0)
        await asyncio.sleep(max(0.0, began + number / SCORES_PER_SECOND - time.monotonic()))
    producer.flush()
    rows = await _all_written(eye, "alert.raised.v1", tenant_id, len(handed))
    # The first ones meet a worker that has just started.
    return [_milliseconds(row["created_at"] - handed[row["message_id"]]) for row in rows][SCORES_PER_SECOND // HIGH_RISK_EVERY :]


async def _escalated(world: World, eye: asyncpg.Connection[asyncpg.Record], count: int, spacing: float) -> list[float]:
    """Milliseconds from each of so many deadlines until its escalation was written, in the transaction that then commits."""
    tenant_id, deadlines = TenantId(new_id()), dict[UUID, datetime]()
    database = await world.database("notifications")
    pool = await create_pool(SecretStr(database.app_url), size=4, application_name="bench")
    async with pool:

        def uow() -> UnitOfWork:
            return UnitOfWork(pool, source="/bloom/notifications", context=Context(tenant_id, new_id()))

        quick, slow = Deadlines(*[_STEP_SECONDS] * 3), Deadlines(*[MAX_DEADLINE_SECONDS] * 3)
        steps = {ChainStep.THERAPIST: quick, ChainStep.SUPERVISOR: slow, ChainStep.ON_CALL: slow}
        # Laps begin with the therapists: somebody at the next step keeps the alerts of this round from coming back.
        someone = UserId(new_id())
        await eye.execute(
            "insert into people (tenant_id, user_id, role, is_verified, is_suspended, standing_at, standing_event_id)"
            " values ($1, $2, 'THERAPIST', true, false, now(), $2)",
            tenant_id,
            someone,
        )
        await set_chain(uow(), supervisors=[someone], on_call=[], deadlines=steps, seen=0, set_by=someone, now=utc_now())
        begin = utc_now()
        for number in range(count):
            # Raised ahead of time, so that deadlines lie as they should however long this loop takes.
            at = begin + timedelta(seconds=count * 0.02 + number * spacing)
            event = scored_message((UserId(new_id()),), at, RiskLevel.HIGH)
            change = await hear_score(uow(), _told(tenant_id, event), now=at)
            if change is not None and change.alert.deadline is not None:
                deadlines[UUID(int=change.alert.alert_id.int)] = change.alert.deadline
    rows = await _all_written(eye, "alert.escalated.v1", tenant_id, count)
    return [_milliseconds(row["created_at"] - deadlines[UUID(int=row["alert_id"].int)]) for row in rows]


async def _all_written(eye: asyncpg.Connection[asyncpg.Record], kind: str, tenant_id: UUID, count: int) -> list[Any]:
    async def are_there() -> bool:
        query = "select count(*) from outbox where type = $1 and tenant_id = $2"
        return bool(await eye.fetchval(query, kind, tenant_id) >= count)

    await until(are_there, seconds=_LIMIT_SECONDS, what=f"{count} events of the type {kind}")
    return list(await eye.fetch(_WRITTEN + " order by id", kind, tenant_id))


def _told(tenant_id: TenantId, event: Event) -> Envelope[Any]:
    return wrap(event, source="/bloom/bench", tenant_id=tenant_id, time=utc_now(), correlation_id=new_id())


def _milliseconds(duration: timedelta) -> float:
    return duration / timedelta(milliseconds=1)
