"""What is sent outside of Bloom: each message is an intent first, a row in the transaction of its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from bloom_events.ids import AlertId
from notifications.domain.calls import Call, CallReason
from notifications.domain.notices import Template, Urgency
from notifications.domain.timeline import Sent
from notifications.repository.notifications import NotificationRepository
from service_kit.unit_of_work import Transaction

CALL_LASTS = timedelta(hours=24)
"""How long a call goes on being tried: over a night of quiet hours, and over an outage. The next call takes its place."""

_TEMPLATES: Mapping[CallReason, Template] = MappingProxyType(
    {
        CallReason.RAISED: Template.ALERT_CALLED,
        CallReason.ESCALATED: Template.ALERT_CALLED,
        CallReason.HANDED_OVER: Template.ALERT_HANDED_OVER,
        CallReason.LEVEL_RAISED: Template.ALERT_CALLED,
    }
)


async def call_people(transaction: Transaction, call: Call, *, now: datetime) -> None:
    """Keep in this transaction what is to be sent to the people of a call; the same call twice is kept once.

    Of several calls that somebody could not get yet, because a provider is away or their hours are quiet, the latest is sent.
    """
    notifications = NotificationRepository(transaction.connection)
    # Nothing was sent about an alert before its first call, whose time counts in milliseconds.
    if call.reason is not CallReason.RAISED:
        await notifications.withdraw(call.alert_id, "superseded", now, users=call.people, but=call.key)
        if call.breaks_quiet_hours:
            await break_quiet_hours(transaction, call.alert_id, now=now)
    await notifications.intend(
        call.people,
        _TEMPLATES[call.reason],
        about=call.alert_id,
        occasion=call.key,
        urgency=Urgency.CRITICAL if call.breaks_quiet_hours else Urgency.URGENT,
        facts={},
        expires_at=now + CALL_LASTS,
        context=transaction.context,
        now=now,
    )


async def break_quiet_hours(transaction: Transaction, alert_id: AlertId, *, now: datetime) -> None:
    """Send at once what about an alert is held back until somebody's quiet hours are over: it has become critical."""
    await NotificationRepository(transaction.connection).make_critical(alert_id, now)


async def stop_calling(transaction: Transaction, alert_id: AlertId, *, now: datetime) -> None:
    """Send nobody anything more about an alert that somebody has in hand; what is out already stays out."""
    await NotificationRepository(transaction.connection).withdraw(alert_id, "answered", now)


async def sent_about(transaction: Transaction, about: UUID) -> Sequence[Sent]:
    """What providers took about an alert or an appointment, for its timeline."""
    return await NotificationRepository(transaction.connection).sent_about(about)
