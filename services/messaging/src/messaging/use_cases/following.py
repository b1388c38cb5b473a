"""What happens here when other services tell of people, visits, sessions and alerts: one event, one transaction, one effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from bloom_events.alerts import AlertEvent
from bloom_events.appointments import AppointmentEvent
from bloom_events.auth import Role, SessionRevoked, TherapistVerified, UserRegistered, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from messaging.clients.wake import Waker
from messaging.domain.alerts import AlertState, Origin
from messaging.domain.people import AccountStatus, CareVisit, Person
from messaging.repository.people import PeopleRepository
from service_kit import inbox
from service_kit.tracing import current_traceparent
from service_kit.unit_of_work import UnitOfWork

CONSUMER = "messaging"
"""The name under which the inbox remembers what was handled here."""


async def note_registration(uow: UnitOfWork, cause: Envelope[UserRegistered]) -> None:
    """Somebody has an account."""
    event = cause.data
    await _save_person(uow, cause, Person(event.user_id, event.role, AccountStatus(event.status), cause.time))


async def note_verification(uow: UnitOfWork, cause: Envelope[TherapistVerified]) -> None:
    """A therapist may practise."""
    await _save_person(uow, cause, Person(cause.data.user_id, Role.THERAPIST, AccountStatus.ACTIVE, cause.time))


async def note_reinstatement(uow: UnitOfWork, cause: Envelope[UserReinstated]) -> None:
    """A suspended account is in use again."""
    await _save_person(uow, cause, Person(cause.data.user_id, cause.data.role, AccountStatus.ACTIVE, cause.time))


async def note_suspension(uow: UnitOfWork, cause: Envelope[UserSuspended], waker: Waker) -> None:
    """An account may no longer be used: its open connections are cut."""
    await _save_person(uow, cause, Person(cause.data.user_id, cause.data.role, AccountStatus.SUSPENDED, cause.time))
    waker.account_suspended(cause.tenant_id, cause.data.user_id)


async def note_visit(uow: UnitOfWork, cause: Envelope[AppointmentEvent]) -> None:
    """Patient and therapist have, or no longer have, a visit that makes a care relationship."""
    visit = CareVisit.of(cause.data)
    await _once(uow, cause, lambda people: people.save_visit(visit))


async def note_ended_session(uow: UnitOfWork, cause: Envelope[SessionRevoked], waker: Waker) -> None:
    """A session ended: its open connections are cut."""
    event = cause.data
    await _once(uow, cause, lambda people: people.end_session(event.session_id, event.user_id, cause.time))
    waker.session_ended(cause.tenant_id, event.session_id)


async def note_alert(uow: UnitOfWork, cause: Envelope[AlertEvent], waker: Waker) -> None:
    """An alert changed: everybody who is called is told at their open connections."""
    alert = AlertState.of(cause.data, cause.time)
    origin = Origin(cause.correlation_id, cause.id, current_traceparent())
    told: list[UUID] = []

    async def save(people: PeopleRepository) -> None:
        told.extend(await people.save_alert(alert, origin))

    await _once(uow, cause, save)
    for user_id in told:
        waker.alerts(cause.tenant_id, user_id)


async def _save_person(uow: UnitOfWork, cause: Envelope[Event], person: Person) -> None:
    await _once(uow, cause, lambda people: people.save(person))


async def _once(uow: UnitOfWork, cause: Envelope[Event], work: Callable[[PeopleRepository], Awaitable[object]]) -> None:
    async with uow.begin() as transaction:
        if await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            await work(PeopleRepository(transaction.connection))
