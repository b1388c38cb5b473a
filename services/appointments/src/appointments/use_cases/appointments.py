"""Booking a visit and everything that can happen to it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal
from uuid import UUID

from appointments.domain.appointments import Actor, Appointment, AppointmentFilter
from appointments.domain.outcomes import TherapistUnavailable
from appointments.domain.slots import Interval, Schedule
from appointments.domain.therapists import Therapist
from appointments.repository.appointments import AppointmentRepository, read_visible
from appointments.repository.availability import AvailabilityRepository
from appointments.repository.therapists import TherapistRepository
from bloom_events.appointments import VisitType
from bloom_events.event import Event
from bloom_events.ids import AppointmentId, PatientId, TherapistId, new_id
from service_kit.revisions import check_revision
from service_kit.unit_of_work import Transaction, UnitOfWork


async def book_appointment(
    uow: UnitOfWork,
    *,
    patient_id: PatientId,
    therapist_id: TherapistId,
    visit_type: VisitType,
    slot: Interval,
    now: datetime,
) -> Appointment:
    """Books a free slot of a therapist for the patient."""
    async with uow.begin() as transaction:
        repository = AppointmentRepository(transaction.connection)
        therapist = await TherapistRepository(transaction.connection).lock_active(therapist_id)
        is_known = therapist.profile.accepts_new_patients or await repository.has_visited(patient_id, therapist_id)
        therapist.must_take(is_known_patient=is_known)
        appointment, booked = Appointment.book(
            appointment_id=AppointmentId(new_id()),
            patient_id=patient_id,
            therapist_id=therapist_id,
            visit_type=visit_type,
            slot=slot,
            schedule=await _schedule_around(transaction, therapist, slot),
            now=now,
        )
        await repository.add(appointment)
        await transaction.publish(booked)
    return appointment


async def reschedule_appointment(
    uow: UnitOfWork, appointment_id: UUID, actor: Actor, slot: Interval, *, seen: int | None, now: datetime
) -> Appointment:
    """Moves an appointment to another free slot of the same therapist."""
    async with uow.begin() as transaction:
        repository = AppointmentRepository(transaction.connection)
        # Therapist before patient before appointment, as in booking: everybody waits in the same order.
        found = await repository.get_visible(appointment_id, actor)
        therapist = await TherapistRepository(transaction.connection).lock(found.therapist_id)
        await repository.lock_patient(found.patient_id)
        current = await repository.lock_visible(appointment_id, actor)
        _check_seen(current, seen)
        if therapist.is_suspended:
            raise TherapistUnavailable
        schedule = await _schedule_around(transaction, therapist, slot)
        moved, rescheduled = current.reschedule(slot, schedule=schedule, now=now)
        await repository.save(moved)
        await transaction.publish(rescheduled)
    return moved


async def confirm_appointment(
    uow: UnitOfWork, appointment_id: UUID, actor: Actor, *, seen: int | None, now: datetime
) -> Appointment:
    """The therapist accepts the booking."""
    return await _change(uow, appointment_id, actor, seen, lambda current: current.confirm(now))


async def cancel_appointment(
    uow: UnitOfWork, appointment_id: UUID, actor: Actor, *, seen: int | None, now: datetime
) -> Appointment:
    """Calls the visit off, which frees its time."""
    return await _change(uow, appointment_id, actor, seen, lambda current: current.cancel(actor, now))


async def complete_appointment(
    uow: UnitOfWork, appointment_id: UUID, actor: Actor, *, seen: int | None, now: datetime
) -> Appointment:
    """Records that the visit took place."""
    return await _change(uow, appointment_id, actor, seen, lambda current: current.complete(now))


async def record_no_show(uow: UnitOfWork, appointment_id: UUID, actor: Actor, *, seen: int | None, now: datetime) -> Appointment:
    """Records that the patient did not come."""
    return await _change(uow, appointment_id, actor, seen, lambda current: current.record_no_show(now))


async def correct_appointment(
    uow: UnitOfWork,
    appointment_id: UUID,
    actor: Actor,
    corrected_to: Literal["no_show", "cancelled"],
    *,
    seen: int | None,
    now: datetime,
) -> Appointment:
    """Takes back that the visit took place."""
    return await _change(uow, appointment_id, actor, seen, lambda current: current.correct(corrected_to, actor, now))


async def get_appointment(uow: UnitOfWork, appointment_id: UUID, viewer: Actor) -> Appointment:
    """An appointment that the viewer may see."""
    return await read_visible(uow, appointment_id, viewer)


async def list_appointments(
    uow: UnitOfWork, viewer: Actor, wanted: AppointmentFilter, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Appointment]:
    """Appointments that the viewer may see, by start."""
    async with uow.begin() as transaction:
        repository = AppointmentRepository(transaction.connection)
        return await repository.list_visible(viewer, wanted, after=after, limit=limit)


async def _change(
    uow: UnitOfWork,
    appointment_id: UUID,
    actor: Actor,
    seen: int | None,
    transition: Callable[[Appointment], tuple[Appointment, Event]],
) -> Appointment:
    async with uow.begin() as transaction:
        repository = AppointmentRepository(transaction.connection)
        current = await repository.lock_visible(appointment_id, actor)
        _check_seen(current, seen)
        changed, event = transition(current)
        await repository.save(changed)
        await transaction.publish(event)
    return changed


async def _schedule_around(transaction: Transaction, therapist: Therapist, slot: Interval) -> Schedule:
    schedules = await AvailabilityRepository(transaction.connection).schedules([therapist], slot)
    return schedules[therapist.id]


def _check_seen(appointment: Appointment, seen: int | None) -> None:
    if seen is not None:
        check_revision(current=appointment.revision, seen=seen)
