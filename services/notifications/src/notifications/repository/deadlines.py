"""What is due when, over all tenants: ids and times alone, by functions that row security lets see no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bloom_events.ids import TenantId
from service_kit.database import Pool

_ALERTS = "select tenant_id, alert_id, correlation_id, due_at from next_deadlines($1)"
_MESSAGES = "select tenant_id, message_id, revision, correlation_id, due_at from next_unscored($1)"
_OPEN = "select level, status, alerts from count_open_alerts()"
_UNANSWERED = "select level, alerts from count_unanswered_alerts()"


@dataclass(frozen=True, slots=True)
class DueAlert:
    """An alert and when its next people are called."""

    tenant_id: TenantId
    alert_id: UUID
    correlation_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A change of a message and when it may wait for its score no longer."""

    tenant_id: TenantId
    message_id: UUID
    revision: int
    correlation_id: UUID
    due_at: datetime


async def next_alerts(pool: Pool, most: int) -> list[DueAlert]:
    """Up to so many alerts that call somebody, the soonest deadline first."""
    return [DueAlert(*row) for row in await pool.fetch(_ALERTS, most)]


async def next_messages(pool: Pool, most: int) -> list[DueMessage]:
    """Up to so many messages without a score, the soonest deadline first."""
    return [DueMessage(*row) for row in await pool.fetch(_MESSAGES, most)]


async def open_alerts(pool: Pool) -> dict[tuple[str, str], int]:
    """How many alerts are open, by level and state."""
    return {(row["level"], row["status"]): row["alerts"] for row in await pool.fetch(_OPEN)}


async def unanswered_alerts(pool: Pool) -> dict[str, int]:
    """How many alerts the whole chain was called to in vain, by level."""
    return {row["level"]: row["alerts"] for row in await pool.fetch(_UNANSWERED)}
