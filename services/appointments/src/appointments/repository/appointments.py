"""Rows of appointments and their attendees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from appointments.domain.appointments import Actor, Appointment, AppointmentFilter, Attendee, Status
from appointments.domain.outcomes import AppointmentNotFound, PatientAlreadyBooked, SlotTaken
from appointments.domain.slots import Interval
from bloom_events.appointments import VisitType
from bloom_events.auth import Role
from bloom_events.ids import AppointmentId, PatientId, TherapistId
from service_kit.database import Connection
from service_kit.unit_of_work import UnitOfWork

_LOCK_PATIENT = "select pg_advisory_xact_lock(hashtextextended(current_setting('app.tenant_id') || $1::uuid::text, 0))"
# The row is made from the row of the lock, so it cannot be written before the lock is held; that saves a round trip per booking.
_INSERT = """
    with held as materialized (
        select pg_advisory_xact_lock(hashtextextended(current_setting('app.tenant_id') || $2::uuid::text, 0))
    ),
    booked as (
        insert into appointments (id, patient_id, therapist_id, visit_type, status, starts_at, ends_at, blocked_from,
                                  blocked_until, revision, booked_at)
        select $1::uuid, $2::uuid, $3::uuid, $4, $5, $6::timestamptz, $7::timestamptz, $8::timestamptz, $9::timestamptz,
               $10::int, $11::timestamptz
        from held returning id
    )
    insert into appointment_attendees (appointment_id, user_id, role)
    select booked.id, attendee.* from booked, unnest($12::uuid[], $13::text[]) as attendee
"""
_UPDATE = """
    update appointments set status = $2, starts_at = $3, ends_at = $4, blocked_from = $5, blocked_until = $6,
        revision = $7, confirmed_at = $8, cancelled_by = $9, closed_at = $10
    where id = $1
"""
_SELECT = """
    select a.*, (select jsonb_agg(jsonb_build_array(t.user_id, t.role) order by t.role)
                 from appointment_attendees t where t.appointment_id = a.id) as attendees
    from appointments a where
"""
_ATTENDED = "exists (select 1 from appointment_attendees me where me.appointment_id = a.id and me.user_id = $1)"
# Administrators see every appointment of their tenant; the parameter stays, so that both statements take the same ones.
_ANY = "($1::uuid is not null)"
_BY_ID = " and a.id = $2"
_LOCKED_BY_ID = _BY_ID + " for no key update of a"
_LIST = """
      and ($2::text[] is null or a.status = any($2))
      and ($3::timestamptz is null or a.starts_at >= $3)
      and ($4::timestamptz is null or a.starts_at < $4)
      and ($5::uuid is null or a.therapist_id = $5)
      and ($6::uuid is null or a.patient_id = $6)
      and ($7::timestamptz is null or (a.starts_at, a.id) > ($7, $8::uuid))
    order by a.starts_at, a.id limit $9
"""


@dataclass(frozen=True, slots=True)
class _Statements:
    """The reading statements for one kind of viewer."""

    get: str
    lock: str
    list: str


_OF_ATTENDEES = _Statements(
    get=_SELECT + _ATTENDED + _BY_ID, lock=_SELECT + _ATTENDED + _LOCKED_BY_ID, list=_SELECT + _ATTENDED + _LIST
)
_OF_ADMINISTRATORS = _Statements(get=_SELECT + _ANY + _BY_ID, lock=_SELECT + _ANY + _LOCKED_BY_ID, list=_SELECT + _ANY + _LIST)

_BUSY = """
    select therapist_id, blocked_from, blocked_until from appointments
    where therapist_id = any($1::uuid[]) and status in ('booked', 'confirmed')
      and tstzrange(blocked_from, blocked_until) && tstzrange($2, $3)
"""
_HAS_VISITED = "select exists (select 1 from appointments where patient_id = $1 and therapist_id = $2 and status = 'completed')"


class AppointmentRepository:
    """Reads and writes appointments within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, appointment: Appointment) -> None:
        """Writes a new appointment with its attendees, holding the patient; refuses one that overlaps another live one."""
        users = [each.user_id for each in appointment.attendees]
        roles = [each.role for each in appointment.attendees]
        async with _overlaps_refused():
            await self._connection.execute(_INSERT, *_inserted(appointment), users, roles)

    async def save(self, appointment: Appointment) -> None:
        """Writes the new state of an appointment that this transaction has locked."""
        async with _overlaps_refused():
            await self._connection.execute(_UPDATE, *_updated(appointment))

    async def get_visible(self, appointment_id: UUID, viewer: Actor) -> Appointment:
        """The appointment, if the viewer takes part in it or is an administrator."""
        return await self._get(_statements_of(viewer).get, appointment_id, viewer)

    async def lock_visible(self, appointment_id: UUID, viewer: Actor) -> Appointment:
        """The same, held until the end of the transaction."""
        return await self._get(_statements_of(viewer).lock, appointment_id, viewer)

    async def list_visible(
        self, viewer: Actor, wanted: AppointmentFilter, *, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[Appointment]:
        """Appointments that the viewer may see, by start, from behind `after` on."""
        starts_at, last_id = after or (None, None)
        rows = await self._connection.fetch(
            _statements_of(viewer).list,
            viewer.user_id,
            [status.value for status in wanted.statuses] if wanted.statuses else None,
            wanted.starts_from,
            wanted.starts_before,
            wanted.therapist_id,
            wanted.patient_id,
            starts_at,
            last_id,
            limit,
        )
        return [_appointment(row) for row in rows]

    async def blocked_times(self, therapist_ids: Sequence[UUID], within: Interval) -> Mapping[UUID, list[Interval]]:
        """What live appointments block of the range, buffers included, for each therapist."""
        blocked: dict[UUID, list[Interval]] = defaultdict(list)
        for row in await self._connection.fetch(_BUSY, therapist_ids, within.start, within.end):
            blocked[row["therapist_id"]].append(Interval(row["blocked_from"], row["blocked_until"]))
        return blocked

    async def has_visited(self, patient_id: PatientId, therapist_id: TherapistId) -> bool:
        """Whether the patient ever had a visit with the therapist."""
        return bool(await self._connection.fetchval(_HAS_VISITED, patient_id, therapist_id))

    async def lock_patient(self, patient_id: PatientId) -> None:
        """Lets one booking of a patient wait for the other, which the exclusion constraint alone would turn into a deadlock."""
        await self._connection.execute(_LOCK_PATIENT, patient_id)

    async def _get(self, query: str, appointment_id: UUID, viewer: Actor) -> Appointment:
        return _found(await self._connection.fetchrow(query, viewer.user_id, appointment_id))


async def read_visible(uow: UnitOfWork, appointment_id: UUID, viewer: Actor) -> Appointment:
    """The appointment as `get_visible` gives it, where nothing else is read or written with it."""
    return _found(await uow.fetch_one(_statements_of(viewer).get, viewer.user_id, appointment_id))


@asynccontextmanager
async def _overlaps_refused() -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.ExclusionViolationError as error:
        raise (PatientAlreadyBooked if error.constraint_name == "patient_is_free" else SlotTaken) from None


def _statements_of(viewer: Actor) -> _Statements:
    return _OF_ADMINISTRATORS if viewer.role is Role.ADMINISTRATOR else _OF_ATTENDEES


def _inserted(appointment: Appointment) -> tuple[object, ...]:
    return (
        appointment.id,
        appointment.patient_id,
        appointment.therapist_id,
        appointment.visit_type.value,
        appointment.status.value,
        appointment.time.start,
        appointment.time.end,
        appointment.blocked.start,
        appointment.blocked.end,
        appointment.revision,
        appointment.booked_at,
    )


def _updated(appointment: Appointment) -> tuple[object, ...]:
    return (
        appointment.id,
        appointment.status.value,
        appointment.time.start,
        appointment.time.end,
        appointment.blocked.start,
        appointment.blocked.end,
        appointment.revision,
        appointment.confirmed_at,
        appointment.cancelled_by,
        appointment.closed_at,
    )


def _found(row: asyncpg.Record | None) -> Appointment:
    if row is None:
        raise AppointmentNotFound
    return _appointment(row)


def _appointment(row: asyncpg.Record) -> Appointment:
    return Appointment(
        id=AppointmentId(row["id"]),
        patient_id=PatientId(row["patient_id"]),
        therapist_id=TherapistId(row["therapist_id"]),
        visit_type=VisitType(row["visit_type"]),
        status=Status(row["status"]),
        time=Interval(row["starts_at"], row["ends_at"]),
        blocked=Interval(row["blocked_from"], row["blocked_until"]),
        revision=row["revision"],
        booked_at=row["booked_at"],
        attendees=tuple(Attendee(UUID(user_id), role) for user_id, role in row["attendees"] or ()),
        confirmed_at=row["confirmed_at"],
        cancelled_by=row["cancelled_by"],
        closed_at=row["closed_at"],
    )
