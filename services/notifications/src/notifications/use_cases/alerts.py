"""What people do with alerts: see them, answer, hand over, resolve; and the timeline of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from bloom_events.alerts import ChainStep
from bloom_events.envelope import Envelope
from bloom_events.ids import UserId
from bloom_events.messaging import AlertPushed, AlertSeen
from notifications.clients.master_key import NoteSeal
from notifications.domain.alerts import Alert, AlertStatus, Change, Plan
from notifications.domain.chain import Successor
from notifications.domain.outcomes import PersonCannotBeCalled
from notifications.domain.timeline import Timeline, timeline
from notifications.domain.visibility import VisibleAlerts
from notifications.repository.alerts import AlertRepository
from notifications.repository.people import PeopleRepository
from notifications.repository.timelines import TimelineRepository
from notifications.use_cases import measures
from notifications.use_cases.consumer import CONSUMER
from notifications.use_cases.deliveries import sent_about
from notifications.use_cases.raising import plan_for, tell
from service_kit import inbox
from service_kit.revisions import check_revision
from service_kit.unit_of_work import Transaction, UnitOfWork

MOST_ON_A_TIMELINE = 200
"""So many messages and so many changes of one alert are shown: the first and the latest."""


async def list_alerts(
    uow: UnitOfWork, visible: VisibleAlerts, statuses: Sequence[AlertStatus], *, after: UUID | None, limit: int
) -> Sequence[Alert]:
    """Up to `limit` alerts that the caller may see, the newest first."""
    async with uow.begin() as transaction:
        return await AlertRepository(transaction.connection).list_visible(visible, statuses, after=after, limit=limit)


async def get_alert(uow: UnitOfWork, alert_id: UUID, visible: VisibleAlerts, seal: NoteSeal) -> tuple[Alert, str | None]:
    """An alert that the caller may see, with its note if he was called about it: administrators see states, not contents."""
    async with uow.begin() as transaction:
        alerts = AlertRepository(transaction.connection)
        alert = await alerts.get(alert_id, visible)
        may_read = alert.status is AlertStatus.RESOLVED and visible.caller in alert.told
        sealed = await alerts.sealed_note(alert.alert_id) if may_read else None
    return alert, seal.open(sealed, alert.alert_id) if sealed else None


async def acknowledge(uow: UnitOfWork, alert_id: UUID, visible: VisibleAlerts, *, seen: int | None, now: datetime) -> Alert:
    """The caller answers, so nobody else is called; once more by the same person changes nothing."""

    async def answer(_: Transaction, alert: Alert) -> Change | None:
        return alert.acknowledged(visible.caller, now)

    return await _change(uow, alert_id, visible, answer, seen=seen, now=now)


async def hand_over(
    uow: UnitOfWork, alert_id: UUID, visible: VisibleAlerts, to: Successor, *, seen: int | None, now: datetime
) -> Alert:
    """The caller asks others to answer, who are called."""

    async def pass_on(transaction: Transaction, alert: Alert) -> Change:
        plan = await plan_for(transaction, alert.therapists)
        step, people = await _successors(transaction, alert, plan, to)
        return alert.handed_over(visible.caller, step, people, plan.chain, now)

    return await _change(uow, alert_id, visible, pass_on, seen=seen, now=now)


async def resolve(
    uow: UnitOfWork, alert_id: UUID, visible: VisibleAlerts, seal: NoteSeal, *, note: str, seen: int | None, now: datetime
) -> Alert:
    """The caller has dealt with it; the note is kept sealed."""

    async def end(_: Transaction, alert: Alert) -> Change:
        return alert.resolved(visible.caller, now)

    return await _change(uow, alert_id, visible, end, seen=seen, now=now, sealed_note=seal.seal(note, alert_id))


async def get_timeline(uow: UnitOfWork, alert_id: UUID, visible: VisibleAlerts) -> Timeline:
    """Every hop of an alert that the caller may see, from the written message on."""
    async with uow.begin() as transaction:
        alert = await AlertRepository(transaction.connection).get(alert_id, visible)
        facts = await TimelineRepository(transaction.connection).facts_of(alert.alert_id, most=MOST_ON_A_TIMELINE)
        sent = await sent_about(transaction, alert.alert_id)
    return timeline(facts.history, facts.messages, facts.endings, facts.deliveries, sent, is_complete=facts.is_complete)


async def note_push(uow: UnitOfWork, cause: Envelope[AlertPushed] | Envelope[AlertSeen]) -> None:
    """Keep when an alert first reached somebody's open pages, or was first seen there."""
    event = cause.data
    pushed_at = event.pushed_at if isinstance(event, AlertPushed) else None
    seen_at = event.seen_at if isinstance(event, AlertSeen) else None
    async with uow.begin() as transaction:
        if await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            alerts = AlertRepository(transaction.connection)
            await alerts.keep_push(event.alert_id, event.user_id, pushed_at=pushed_at, seen_at=seen_at)


async def _change(
    uow: UnitOfWork,
    alert_id: UUID,
    visible: VisibleAlerts,
    decide: Callable[[Transaction, Alert], Awaitable[Change | None]],
    *,
    seen: int | None,
    now: datetime,
    sealed_note: bytes | None = None,
) -> Alert:
    async with uow.begin() as transaction:
        alerts = AlertRepository(transaction.connection)
        alert = await alerts.lock(alert_id, visible)
        if seen is not None:
            check_revision(current=alert.revision, seen=seen)
        change = await decide(transaction, alert)
        if change is None:
            return alert
        await alerts.save(change.alert, sealed_note=sealed_note)
        await tell(transaction, change, now)
    measures.note(change)
    return change.alert


async def _successors(transaction: Transaction, alert: Alert, plan: Plan, to: Successor) -> tuple[ChainStep, tuple[UserId, ...]]:
    """The step that goes on, and its people; somebody who stands at no step is called at the one that the alert has reached."""
    if to.user_id is None:
        step = to.step or alert.step
        return step, plan.roster.at(step)
    accounts = await PeopleRepository(transaction.connection).accounts([to.user_id])
    if not accounts.all_callable([to.user_id]):
        raise PersonCannotBeCalled
    return plan.roster.step_of(to.user_id) or alert.step, (to.user_id,)
