"""What happens here when auth tells of an account."""

from __future__ import annotations

from appointments.domain.therapists import Therapist
from appointments.repository.therapists import TherapistRepository
from bloom_events.auth import Role, TherapistVerified, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope
from bloom_events.ids import TherapistId
from service_kit import inbox
from service_kit.unit_of_work import UnitOfWork

CONSUMER = "appointments"


async def welcome_therapist(uow: UnitOfWork, cause: Envelope[TherapistVerified]) -> None:
    """Opens the directory entry of a verified therapist; an entry that is there keeps what the therapist made of it."""
    therapist, profile_changed = Therapist.verified(TherapistId(cause.data.user_id), cause.data.display_name)
    async with uow.begin() as transaction:
        if not await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            return
        if await TherapistRepository(transaction.connection).add(therapist):
            await transaction.publish(profile_changed)


async def note_suspension(uow: UnitOfWork, cause: Envelope[UserSuspended]) -> None:
    """Hides a suspended therapist from the directory and from booking."""
    await _set_standing(uow, cause, is_suspended=True)


async def note_reinstatement(uow: UnitOfWork, cause: Envelope[UserReinstated]) -> None:
    """Shows a reinstated therapist again."""
    await _set_standing(uow, cause, is_suspended=False)


async def _set_standing(
    uow: UnitOfWork, cause: Envelope[UserSuspended] | Envelope[UserReinstated], *, is_suspended: bool
) -> None:
    """Only the latest event by its own time counts, whatever order the events come in."""
    async with uow.begin() as transaction:
        if cause.data.role is not Role.THERAPIST:
            return
        if not await inbox.first_time(transaction.connection, CONSUMER, cause.id):
            return
        await TherapistRepository(transaction.connection).set_standing(
            TherapistId(cause.data.user_id), is_suspended=is_suspended, changed_at=cause.time, event_id=cause.id
        )
