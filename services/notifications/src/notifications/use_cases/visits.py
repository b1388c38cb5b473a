"""What happens to appointments is told to the people in them, and decides when they are reminded."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from bloom_events.appointments import AppointmentCancelled, AppointmentEvent, AppointmentRescheduled
from bloom_events.envelope import Envelope
from bloom_events.ids import TenantId, UserId
from notifications.domain.notices import Template, Urgency
from notifications.domain.visits import News, Visit, facts_of, news_of, reminders_of, visit_from
from notifications.repository.notifications import NotificationRepository
from notifications.repository.visits import DueReminder, VisitRepository, tenants_with_reminders
from notifications.use_cases.consumer import CONSUMER
from service_kit import inbox
from service_kit.database import Pool
from service_kit.unit_of_work import Transaction, UnitOfWork

NEWS_TRIED_FOR = timedelta(days=3)
"""After that an e-mail about an appointment is given up, even if the appointment is still ahead."""

REMINDERS = (Template.REMINDER_DAY_BEFORE, Template.REMINDER_HOUR_BEFORE)


async def hear_of_visit(uow: UnitOfWork, cause: Envelope[AppointmentEvent], *, now: datetime) -> None:
    """Take an event of an appointment in: tell those whom it concerns, plan reminders anew when its time changed.

    One that is older than what is known, or was seen before, changes nothing and writes to nobody.
    """
    visit = visit_from(cause.data)
    async with uow.begin() as transaction:
        if not await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            return
        visits = VisitRepository(transaction.connection)
        known = await visits.find(visit.appointment_id)
        if not await visits.hear(visit, now):
            return
        if known is None or (known.starts_at, known.is_ahead) != (visit.starts_at, visit.is_ahead):
            await visits.unplan(visit.appointment_id)
            await visits.plan(reminders_of(visit, known_from=cause.time, now=now))
        await _take_back(transaction, cause.data, visit, now)
        await _tell(transaction, cause.data, visit, news_of(cause.data, happened_at=cause.time, now=now), now)


async def _take_back(transaction: Transaction, event: AppointmentEvent, visit: Visit, now: datetime) -> None:
    """What was to be told of another time, and has not gone out yet, is not told any more."""
    notifications = NotificationRepository(transaction.connection)
    if isinstance(event, (AppointmentRescheduled, AppointmentCancelled)):
        await notifications.withdraw(visit.appointment_id, "superseded", now)
    elif not visit.is_ahead:
        await notifications.withdraw(visit.appointment_id, "superseded", now, templates=REMINDERS)


async def _tell(transaction: Transaction, event: AppointmentEvent, visit: Visit, news: tuple[News, ...], now: datetime) -> None:
    readers: defaultdict[Template, list[UserId]] = defaultdict(list)
    for each in news:
        readers[each.template].append(each.user_id)
    before = event.previous_starts_at if isinstance(event, AppointmentRescheduled) else None
    for template, users in readers.items():
        await NotificationRepository(transaction.connection).intend(
            users,
            template,
            about=visit.appointment_id,
            occasion=f"revision_{visit.revision}",
            urgency=Urgency.ROUTINE,
            facts=facts_of(visit, before),
            expires_at=min(visit.starts_at, now + NEWS_TRIED_FOR),
            context=transaction.context,
            now=now,
        )


async def whose_turn(pool: Pool, now: datetime) -> list[tuple[TenantId, datetime]]:
    """Tenants with reminders whose time has come, and after them the next one that will have."""
    return await tenants_with_reminders(pool, now)


async def remind(uow: UnitOfWork, *, most: int, now: datetime) -> int:
    """Turn up to `most` reminders of a tenant whose time has come into intents; gives how many there were."""
    async with uow.begin() as transaction:
        due = await VisitRepository(transaction.connection).take_due(most, now)
        for each in due:
            if each.visit.is_ahead and now < each.reminder.expires_at:
                await _remind(transaction, each, now)
    return len(due)


async def _remind(transaction: Transaction, due: DueReminder, now: datetime) -> None:
    visit, reminder = due.visit, due.reminder
    await NotificationRepository(transaction.connection).intend(
        [UserId(visit.patient_id)],
        reminder.template,
        about=visit.appointment_id,
        occasion=f"revision_{reminder.round}",
        urgency=Urgency.ROUTINE,
        facts=facts_of(visit),
        expires_at=reminder.expires_at,
        context=transaction.context,
        now=now,
    )
