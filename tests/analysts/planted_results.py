"""A practice's week in results, as analytics would publish them, and the records that a reader must see through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from confluent_kafka import Producer

from bloom_events.analytics import AlertsMeasured, AppointmentsMeasured, Percentiles, RiskMeasured, WindowResult
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import TenantId, WindowId

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
WATERMARK = MONDAY + timedelta(days=7)
LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week-by-day": timedelta(days=7)}
HOURS = range(8, 12)


def result(
    kind: type[WindowResult], tenant: UUID, metric: str, span: str, start: datetime, *, revision: int = 1, **fields: Any
) -> WindowResult:
    """One revision of a window; its id is the same for each of them."""
    group: dict[str, str] = fields.pop("dimensions", {})
    name = f"{tenant}|{metric}|{sorted(group.items())}|{span}|{start.isoformat()}"
    known: dict[str, Any] = {"count": None, "is_final": True, **fields}
    return kind(
        window_id=WindowId(uuid5(tenant, name)), metric=metric, dimensions=group, span=span, window_start=start,
        window_end=start + LENGTHS[span], time_zone="UTC", revision=revision, watermark=WATERMARK, **known,
    )  # fmt: skip


def week(tenant: UUID) -> Iterator[WindowResult]:
    """All results of the week, in the newest revision of each window."""
    for hour in HOURS:
        start = MONDAY + timedelta(hours=hour)
        yield from _appointments(tenant, start)
        yield from _crisis(tenant, start)
    for day in range(7):
        start, waits = MONDAY + timedelta(days=day), Percentiles(p50=86_400, p90=432_000, p95=500_000, p99=600_000)
        yield result(AppointmentsMeasured, tenant, "appointments.lead-time", "day", start, count=9, percentiles=waits)
        week_ago = start - timedelta(days=7)
        yield result(AppointmentsMeasured, tenant, "appointments.no-show-rate", "week-by-day", week_ago, count=20, total=day)


def _appointments(tenant: UUID, start: datetime) -> Iterator[WindowResult]:
    for what, count in {"booked": 3, "completed": 2, "missed": 1}.items():
        yield result(AppointmentsMeasured, tenant, f"appointments.{what}", "hour", start, revision=3, count=count)
    if start.hour == HOURS[0]:
        yield result(AppointmentsMeasured, tenant, "appointments.cancelled", "hour", start, count=1, is_final=False)


def _crisis(tenant: UUID, start: datetime) -> Iterator[WindowResult]:
    waits = Percentiles(p50=40, p90=80, p95=120, p99=200)
    yield result(AlertsMeasured, tenant, "alerts.raised", "hour", start, count=4, dimensions={"level": "high"})
    yield result(AlertsMeasured, tenant, "alerts.open", "hour", start, count=7, total=4 if start.hour < 10 else -3)
    yield result(AlertsMeasured, tenant, "alerts.time-to-acknowledge", "hour", start, count=3, percentiles=waits)
    yield result(RiskMeasured, tenant, "risk.scored", "hour", start, count=40, dimensions={"level": "low"})
    yield result(RiskMeasured, tenant, "risk.scored", "hour", start, is_suppressed=True, dimensions={"level": "critical"})


def misleading(tenant: UUID) -> Iterator[WindowResult]:
    """Older revisions that a relay sends again after the newest one, as it does after a crash."""
    for hour in HOURS:
        start = MONDAY + timedelta(hours=hour)
        yield result(AppointmentsMeasured, tenant, "appointments.booked", "hour", start, revision=2, count=1, is_final=False)


def publish(bootstrap: str, tenant: UUID, results: Iterable[WindowResult]) -> None:
    """Put results on their topics, in this order, as the relay does."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    for each in results:
        envelope = wrap(
            each, source="/bloom/analytics", tenant_id=TenantId(tenant), time=WATERMARK, correlation_id=each.window_id
        )
        record = to_kafka(envelope)
        producer.produce(record.topic, record.value, record.key, headers=record.headers, timestamp=record.timestamp_ms)
    assert producer.flush(20) == 0
