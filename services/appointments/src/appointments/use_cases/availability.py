"""When a therapist can be booked: weekly hours, exceptions, and the slots that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from appointments.domain.availability import (
    LONGEST_BUFFER,
    MOST_EXCEPTIONS,
    AvailabilityException,
    WeeklyHours,
    checked_week,
)
from appointments.domain.outcomes import TooManyExceptions
from appointments.domain.slots import Interval
from appointments.domain.therapists import Therapist
from appointments.repository.appointments import AppointmentRepository
from appointments.repository.availability import AvailabilityRepository
from appointments.repository.therapists import TherapistRepository
from service_kit.revisions import check_revision
from service_kit.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Availability:
    """The weekly hours of a therapist, whose revision counts their changes too."""

    therapist: Therapist
    hours: tuple[WeeklyHours, ...]


@dataclass(frozen=True, slots=True)
class FreeSlots:
    """The slots of a therapist that can be booked."""

    therapist: Therapist
    slots: tuple[Interval, ...]


async def get_availability(uow: UnitOfWork, therapist_id: UUID) -> Availability:
    """The therapist's own weekly hours."""
    async with uow.begin() as transaction:
        therapist = await TherapistRepository(transaction.connection).get(therapist_id)
        hours = await AvailabilityRepository(transaction.connection).list_hours(therapist_id)
    return Availability(therapist, hours)


async def replace_availability(uow: UnitOfWork, therapist_id: UUID, hours: Sequence[WeeklyHours], *, seen: int) -> Availability:
    """Puts new weekly hours in place of the old; appointments that are already booked stay as they are."""
    week = checked_week(hours)
    async with uow.begin() as transaction:
        therapists = TherapistRepository(transaction.connection)
        therapist = await therapists.lock(therapist_id)
        check_revision(current=therapist.revision, seen=seen)
        changed = therapist.change_hours()
        await therapists.save(changed)
        await AvailabilityRepository(transaction.connection).replace_hours(changed.id, week)
    return Availability(changed, week)


async def add_exception(uow: UnitOfWork, exception: AvailabilityException) -> AvailabilityException:
    """Adds closed days or extra hours; refuses more than MOST_EXCEPTIONS of one therapist."""
    async with uow.begin() as transaction:
        therapist = await TherapistRepository(transaction.connection).lock(exception.therapist_id)
        repository = AvailabilityRepository(transaction.connection)
        if await repository.count_exceptions(therapist.id) >= MOST_EXCEPTIONS:
            raise TooManyExceptions(f"At most {MOST_EXCEPTIONS} exceptions are kept; remove old ones first.")
        await repository.add_exception(exception)
    return exception


async def list_exceptions(
    uow: UnitOfWork, therapist_id: UUID, *, after: tuple[date, UUID] | None, limit: int
) -> list[AvailabilityException]:
    """The therapist's own exceptions by first day."""
    async with uow.begin() as transaction:
        await TherapistRepository(transaction.connection).get(therapist_id)
        repository = AvailabilityRepository(transaction.connection)
        return await repository.list_exceptions(therapist_id, after=after, limit=limit)


async def remove_exception(uow: UnitOfWork, therapist_id: UUID, exception_id: UUID) -> None:
    """Removes one of the therapist's own exceptions."""
    async with uow.begin() as transaction:
        await TherapistRepository(transaction.connection).lock(therapist_id)
        await AvailabilityRepository(transaction.connection).remove_exception(therapist_id, exception_id)


async def list_slots(uow: UnitOfWork, therapist_id: UUID, within: Interval, *, now: datetime) -> FreeSlots:
    """The free slots of a therapist in a range, in time order."""
    async with uow.begin() as transaction:
        therapist = await TherapistRepository(transaction.connection).get_active(therapist_id)
        schedules = await AvailabilityRepository(transaction.connection).schedules([therapist], within)
        reach = within.widened(LONGEST_BUFFER, LONGEST_BUFFER)
        blocked = await AppointmentRepository(transaction.connection).blocked_times([therapist.id], reach)
    free = schedules[therapist.id].free_slots(within, blocked.get(therapist.id, ()), now)
    return FreeSlots(therapist, tuple(free))
