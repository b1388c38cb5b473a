"""Rows of visits and of the reminders that are still to come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId
from notifications.domain.notices import Template
from notifications.domain.visits import Reminder, Visit
from service_kit.database import Connection, Pool

_FIND = "select * from visits where appointment_id = $1 for update"
# Two first events at once queue at the key: the later one finds the other's row, and its revision decides.
_HEAR = """
    insert into visits (appointment_id, revision, patient_id, therapist_id, starts_at, ends_at, is_ahead, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, appointment_id) do update set revision = excluded.revision, patient_id = excluded.patient_id,
        therapist_id = excluded.therapist_id, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        is_ahead = excluded.is_ahead, updated_at = excluded.updated_at
    where visits.revision < excluded.revision
    returning true
"""
_PLAN = """
    insert into reminders (appointment_id, template, round, due_at, expires_at) values ($1, $2, $3, $4, $5)
    on conflict (tenant_id, appointment_id, template) do nothing
"""
_UNPLAN = "delete from reminders where appointment_id = $1"
_TAKE = """
    with due as (
        select tenant_id, appointment_id, template from reminders where due_at <= $1 order by due_at limit $2
        for update skip locked),
    taken as (
        delete from reminders r using due
        where (r.tenant_id, r.appointment_id, r.template) = (due.tenant_id, due.appointment_id, due.template) returning r.*)
    select taken.template, taken.round, taken.due_at, taken.expires_at, v.appointment_id, v.revision, v.patient_id,
        v.therapist_id, v.starts_at, v.ends_at, v.is_ahead
    from taken join visits v on v.tenant_id = taken.tenant_id and v.appointment_id = taken.appointment_id
    order by taken.due_at
"""
_TENANTS = "select tenant_id, due_at from tenants_with_reminders($1)"


@dataclass(frozen=True, slots=True)
class DueReminder:
    """A reminder whose time has come, with its visit."""

    reminder: Reminder
    visit: Visit


async def tenants_with_reminders(pool: Pool, now: datetime) -> list[tuple[TenantId, datetime]]:
    """Whose turn it is, and after those that are due the next one that will be."""
    return [(TenantId(row["tenant_id"]), row["due_at"]) for row in await pool.fetch(_TENANTS, now)]


class VisitRepository:
    """Reads and writes visits within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, appointment_id: AppointmentId) -> Visit | None:
        """What is known of an appointment so far, kept from others until the end of the transaction."""
        row = await self._connection.fetchrow(_FIND, appointment_id)
        return _visit(row) if row else None

    async def hear(self, visit: Visit, now: datetime) -> bool:
        """Bring a visit up to date; False when as new a state was known already."""
        people = (visit.patient_id, visit.therapist_id)
        row = (visit.appointment_id, visit.revision, *people, visit.starts_at, visit.ends_at, visit.is_ahead, now)
        return bool(await self._connection.fetchval(_HEAR, *row))

    async def plan(self, reminders: Iterable[Reminder]) -> None:
        """Keep reminders for their time; one that is planned already stays."""
        rows = [(r.appointment_id, r.template, r.round, r.due_at, r.expires_at) for r in reminders]
        await self._connection.executemany(_PLAN, rows)

    async def unplan(self, appointment_id: AppointmentId) -> None:
        """No more reminders of what was planned."""
        await self._connection.execute(_UNPLAN, appointment_id)

    async def take_due(self, limit: int, now: datetime) -> list[DueReminder]:
        """Take the reminders whose time has come out of the plan; given back if the transaction is."""
        return [_due(row) for row in await self._connection.fetch(_TAKE, now, limit)]


def _visit(row: Record) -> Visit:
    return Visit(
        appointment_id=AppointmentId(row["appointment_id"]),
        revision=row["revision"],
        patient_id=PatientId(row["patient_id"]),
        therapist_id=TherapistId(row["therapist_id"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        is_ahead=row["is_ahead"],
    )


def _due(row: Record) -> DueReminder:
    visit = _visit(row)
    reminder = Reminder(visit.appointment_id, Template(row["template"]), row["round"], row["due_at"], row["expires_at"])
    return DueReminder(reminder, visit)
