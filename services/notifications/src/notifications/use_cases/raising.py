"""Alerts are raised, extended and written down here, inside the transaction of the use case that asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bloom_events.alerts import AlertAcknowledged, AlertCause, AlertExtended, AlertResolved
from bloom_events.ids import AlertId, UserId, new_id
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import Alert, Change, Finding, Plan
from notifications.domain.levels import is_worse
from notifications.domain.timeline import point_of
from notifications.repository.alerts import AlertRepository
from notifications.repository.chains import ChainRepository
from notifications.repository.people import PeopleRepository
from notifications.use_cases.deliveries import break_quiet_hours, call_people, stop_calling
from service_kit.unit_of_work import Transaction, UnitOfWork


async def call_for(uow: UnitOfWork, transaction: Transaction, finding: Finding, now: datetime) -> Change | None:
    """Raise the alert of a conversation, or have its open one take the message in; None when that has it, as bad, already."""
    alerts = AlertRepository(transaction.connection)
    alert = await alerts.lock_open(finding.conversation_id)
    if alert is None:
        change = Alert.raised(AlertId(new_id()), finding, await plan_for(transaction, finding.therapists), now)
        await alerts.add(change.alert, uow.context.correlation_id)
    else:
        cause, level = await alerts.reason_for_message(alert.alert_id, finding.message_id) or (None, None)
        if level is not None and not is_worse(finding.level, level):
            return None
        chain = await ChainRepository(transaction.connection).current()
        change = alert.extended(finding, chain, now, is_late_score=cause is AlertCause.UNSCORED)
        await alerts.save(change.alert)
    await tell(transaction, change, now, finding)
    return change


async def plan_for(transaction: Transaction, therapists: Sequence[UserId]) -> Plan:
    """The chain as it is now, and who of it can be called."""
    chain = await ChainRepository(transaction.connection).current()
    accounts = await PeopleRepository(transaction.connection).accounts([*therapists, *chain.people])
    return Plan(chain, chain.roster(therapists, accounts))


async def tell(transaction: Transaction, change: Change, now: datetime, finding: Finding | None = None) -> None:
    """Write down a change whose alert is saved, call whom it calls or nobody any more, and publish it."""
    alerts = AlertRepository(transaction.connection)
    await alerts.add_change(change.alert, point_of(change.alert, change.event), finding)
    if change.call is not None:
        await call_people(transaction, change.call, now=now)
    elif change.alert.level is RiskLevel.CRITICAL and isinstance(change.event, AlertExtended):
        await break_quiet_hours(transaction, change.alert.alert_id, now=now)
    if isinstance(change.event, AlertAcknowledged | AlertResolved):
        await stop_calling(transaction, change.alert.alert_id, now=now)
    await transaction.publish(change.event)
