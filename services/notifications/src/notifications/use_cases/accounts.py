"""What happens here when auth tells of an account: it is kept who may be called."""

from __future__ import annotations

from datetime import UTC, datetime

from bloom_events.auth import Role, TherapistVerified, UserEvent, UserRegistered, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope
from notifications.domain.people import Person
from notifications.repository.people import PeopleRepository
from notifications.use_cases.consumer import CONSUMER
from service_kit import inbox
from service_kit.unit_of_work import UnitOfWork

PEOPLE = f"{CONSUMER}.people"
"""The inbox's name for it: what else this service does about accounts is done, and remembered, by itself."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def note_account(uow: UnitOfWork, cause: Envelope[UserEvent]) -> None:
    """Keep what an event says of an account; events of one account come to the same in any order."""
    async with uow.begin() as transaction:
        if await inbox.first_time(transaction.connection, PEOPLE, cause.id):
            # Nothing but a suspension and its end says whether somebody is suspended.
            is_about_standing = isinstance(cause.data, UserSuspended | UserReinstated)
            standing_at = cause.time if is_about_standing else _NEVER
            await PeopleRepository(transaction.connection).keep(
                person_from(cause.data), standing_at=standing_at, event_id=cause.id
            )


def person_from(event: UserEvent) -> Person:
    """What one event says; only a suspension suspends, and whoever registers as a therapist waits to be verified."""
    match event:
        case UserRegistered():
            return Person(event.user_id, event.role, is_verified=event.status == "active", is_suspended=False)
        case TherapistVerified():
            return Person(event.user_id, Role.THERAPIST, is_verified=True, is_suspended=False)
        case UserSuspended():
            return Person(event.user_id, event.role, is_verified=False, is_suspended=True)
        case UserReinstated():
            return Person(event.user_id, event.role, is_verified=False, is_suspended=False)
        case _:
            raise TypeError(f"says nothing about who may be called: {event.TYPE}")
