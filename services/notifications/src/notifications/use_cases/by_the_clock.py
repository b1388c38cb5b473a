"""What is done when a deadline is over: alerts that nobody answered call the next people, unscored messages call the first.

Any number of workers may do it at a time. Each looks for what is due over all tenants and takes it in a transaction of its
tenant, locked; whoever comes second finds it done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from bloom_events.ids import TenantId
from notifications.domain.watch import Patience
from notifications.repository import deadlines
from notifications.repository.alerts import AlertRepository
from notifications.repository.deadlines import DueAlert, DueMessage
from notifications.use_cases import measures
from notifications.use_cases.messages import give_up_waiting
from notifications.use_cases.raising import plan_for, tell
from service_kit.database import Pool
from service_kit.unit_of_work import Clock, UnitOfWork

MOST_AT_A_LOOK = 100
AT_ONCE = 4
"""Half of a worker's connections: a burst of deadlines leaves the others for what is read from Kafka meanwhile."""

LOOK_AGAIN = timedelta(milliseconds=200)
"""How soon to look again for messages whose scores may still lie unread in Kafka."""

Due = TypeVar("Due", DueAlert, DueMessage)


class Database(Protocol):
    """The worker's database: its pool, and units of work of any tenant."""

    async def pool(self) -> Pool: ...

    async def unit_of(self, tenant_id: TenantId, correlation_id: UUID | None = None) -> UnitOfWork: ...


class ScoreLog(Protocol):
    """Kafka's topic of scores, as this service's consumers have read it."""

    async def handled_until(self) -> datetime | None:
        """A moment up to which every score that was in Kafka has been handled; None while nobody can say."""
        ...


async def escalate_due(database: Database, now: datetime, *, clock: Clock) -> datetime | None:
    """Escalate every alert whose deadline is over, and return when the next one's will be."""
    upcoming = await deadlines.next_alerts(await database.pool(), MOST_AT_A_LOOK)
    due = [alert for alert in upcoming if alert.due_at <= now]

    async def escalate(alert: DueAlert) -> None:
        await escalate_alert(await database.unit_of(alert.tenant_id, alert.correlation_id), alert, now=clock())

    await _each(due, escalate)
    return _following(upcoming, len(due), now)


async def give_up_due(
    database: Database, score_log: ScoreLog, patience: Patience, now: datetime, *, clock: Clock
) -> datetime | None:
    """Call people to every message without a score in time, and return when to look again.

    A score that is in Kafka and was not read yet is not missing, so messages wait until all is read, but not for long.
    """
    upcoming = await deadlines.next_messages(await database.pool(), MOST_AT_A_LOOK)
    due = [message for message in upcoming if message.due_at <= now]
    if not due:
        return _following(upcoming, 0, now)
    handled_until = await score_log.handled_until()
    missing = [m for m in due if (handled_until and m.due_at <= handled_until) or m.due_at + patience.catching_up <= now]

    async def give_up(message: DueMessage) -> None:
        uow = await database.unit_of(message.tenant_id, message.correlation_id)
        await give_up_waiting(uow, message.message_id, message.revision, now=clock())

    await _each(missing, give_up)
    return now + LOOK_AGAIN if len(missing) < len(due) else _following(upcoming, len(due), now)


async def escalate_alert(uow: UnitOfWork, due: DueAlert, *, now: datetime) -> None:
    """Call the next people about one alert; nothing when somebody has answered meanwhile, or another worker is at it."""
    async with uow.begin() as transaction:
        alerts = AlertRepository(transaction.connection)
        alert = await alerts.claim_due(due.alert_id, now)
        if alert is None:
            return
        change = alert.escalated(await plan_for(transaction, alert.therapists), now)
        await alerts.save(change.alert)
        await tell(transaction, change, now)
    measures.note_lateness(due.due_at, now)
    measures.note(change)


async def count_open(database: Database) -> None:
    """Show how many alerts are open now, and how many of them nobody answered though the whole chain was called."""
    pool = await database.pool()
    measures.show_open(await deadlines.open_alerts(pool))
    measures.show_unanswered(await deadlines.unanswered_alerts(pool))


def _following(upcoming: Sequence[Due], due: int, now: datetime) -> datetime | None:
    """When to look again: at once when there may be more than was asked for."""
    if due == MOST_AT_A_LOOK:
        return now
    return upcoming[due].due_at if due < len(upcoming) else None


async def _each(items: Sequence[Due], work: Callable[[Due], Awaitable[None]]) -> None:
    """Do all of it, a few at a time; one that fails keeps no other from being done, and is raised after them."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: Due) -> None:
        async with places:
            await work(item)

    outcomes = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
