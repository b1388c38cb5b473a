"""Billing what happens to appointments: one event, one transaction, one effect."""

from __future__ import annotations

from datetime import datetime

from billing.domain.visits import visit_from
from billing.repository.terms import TermsRepository
from billing.repository.visits import VisitRepository
from billing.use_cases.books import settle_visit
from bloom_events.appointments import AppointmentEvent
from bloom_events.envelope import Envelope
from service_kit import inbox
from service_kit.unit_of_work import UnitOfWork

CONSUMER = "billing"
"""The name under which the inbox remembers what was handled here."""


async def bill_visit(uow: UnitOfWork, cause: Envelope[AppointmentEvent], *, now: datetime) -> None:
    """Settle the visit that an event tells of; one that was seen before, or is older than what is known, changes no invoice."""
    visit = visit_from(cause.data)
    async with uow.begin() as transaction:
        if not await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            return
        await TermsRepository(transaction.connection).hold()
        if await VisitRepository(transaction.connection).hear(visit, now):
            await settle_visit(transaction, visit, now)
