"""The directory of therapists and a therapist's own entry in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from appointments.domain.availability import LONGEST_BUFFER
from appointments.domain.slots import Interval
from appointments.domain.therapists import DirectoryFilter, Therapist
from appointments.repository.appointments import AppointmentRepository
from appointments.repository.availability import AvailabilityRepository
from appointments.repository.therapists import TherapistRepository
from service_kit.revisions import check_revision
from service_kit.unit_of_work import Transaction, UnitOfWork

# One look for free slots reads at most this many therapists, so that a range in which nobody is free stays cheap.
_MOST_LOOKED_AT = 500
_LOOKED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class AvailableTherapist:
    """A therapist with the first slot that can be booked."""

    therapist: Therapist
    first_slot: Interval


async def list_therapists(
    uow: UnitOfWork, wanted: DirectoryFilter, *, after: tuple[str, UUID] | None, limit: int
) -> list[Therapist]:
    """Therapists of the directory by name."""
    async with uow.begin() as transaction:
        return await TherapistRepository(transaction.connection).list_active(wanted, after=after, limit=limit)


async def list_available(
    uow: UnitOfWork,
    wanted: DirectoryFilter,
    within: Interval,
    *,
    after: tuple[str, UUID] | None,
    limit: int,
    now: datetime,
) -> tuple[list[AvailableTherapist], tuple[str, UUID] | None]:
    """Therapists with a free slot in the range, by name, and where to go on; a page may be short and still have a next one."""
    found: list[AvailableTherapist] = []
    async with uow.begin() as transaction:
        repository = TherapistRepository(transaction.connection)
        for _ in range(_MOST_LOOKED_AT // _LOOKED_AT_ONCE):
            candidates = await repository.list_active(wanted, after=after, limit=_LOOKED_AT_ONCE)
            for available in await _with_free_slot(transaction, candidates, within, now):
                found.append(available)
                if len(found) == limit:
                    return found, _key(available.therapist)
            if len(candidates) < _LOOKED_AT_ONCE:
                return found, None
            after = _key(candidates[-1])
    return found, after


async def get_therapist(uow: UnitOfWork, therapist_id: UUID) -> Therapist:
    """A therapist whom the directory shows."""
    async with uow.begin() as transaction:
        return await TherapistRepository(transaction.connection).get_active(therapist_id)


async def get_own_entry(uow: UnitOfWork, therapist_id: UUID) -> Therapist:
    """The therapist's own entry."""
    async with uow.begin() as transaction:
        return await TherapistRepository(transaction.connection).get(therapist_id)


async def change_profile(uow: UnitOfWork, therapist_id: UUID, changes: Mapping[str, Any], *, seen: int) -> Therapist:
    """Changes fields of the therapist's own profile; `seen` is the revision that the change was made from."""
    async with uow.begin() as transaction:
        repository = TherapistRepository(transaction.connection)
        therapist = await repository.lock(therapist_id)
        check_revision(current=therapist.revision, seen=seen)
        changed, profile_changed = therapist.change_profile(replace(therapist.profile, **changes))
        if profile_changed is not None:
            await repository.save(changed)
            await transaction.publish(profile_changed)
    return changed


async def _with_free_slot(
    transaction: Transaction, therapists: Sequence[Therapist], within: Interval, now: datetime
) -> list[AvailableTherapist]:
    """Those of the therapists who have a free slot, in the same order."""
    schedules = await AvailabilityRepository(transaction.connection).schedules(therapists, within)
    reach = within.widened(LONGEST_BUFFER, LONGEST_BUFFER)
    ids = [therapist.id for therapist in therapists]
    blocked = await AppointmentRepository(transaction.connection).blocked_times(ids, reach)
    available = []
    for therapist in therapists:
        slots = schedules[therapist.id].free_slots(within, blocked.get(therapist.id, ()), now)
        first_slot = next(slots, None)
        if first_slot is not None:
            available.append(AvailableTherapist(therapist, first_slot))
    return available


def _key(therapist: Therapist) -> tuple[str, UUID]:
    return therapist.profile.display_name, therapist.id
