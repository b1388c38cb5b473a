"""Rows of visits: the newest known state of each appointment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from billing.domain.visits import Outcome, Visit
from bloom_events.appointments import VisitType
from bloom_events.ids import AppointmentId, PatientId, TherapistId
from service_kit.database import Connection

_HEAR = """
    insert into visits (appointment_id, revision, patient_id, therapist_id, visit_type, starts_at, outcome, decided_at,
        updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (tenant_id, appointment_id) do update set events_handled = visits.events_handled + 1
    returning revision, events_handled = 1 as is_new
"""
_RENEW = """
    update visits set revision = $2, patient_id = $3, therapist_id = $4, visit_type = $5, starts_at = $6, outcome = $7,
        decided_at = $8, updated_at = $9
    where appointment_id = $1
"""
_WAITING = """
    select * from visits v
    where v.visit_type = any($1::text[]) and exists (
        select from invoices i
        where i.tenant_id = v.tenant_id and i.appointment_id = v.appointment_id and i.status in ('unpriced', 'draft'))
    order by v.appointment_id for update
"""


class VisitRepository:
    """Reads and writes visits within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hear(self, visit: Visit, now: datetime) -> bool:
        """Lock the visit's row and bring it up to date; False when a newer state was known already."""
        row = (
            visit.appointment_id,
            visit.revision,
            visit.patient_id,
            visit.therapist_id,
            visit.visit_type,
            visit.starts_at,
            visit.outcome,
            visit.decided_at,
            now,
        )
        known = await self._connection.fetchrow(_HEAR, *row)
        if known is None or known["is_new"]:
            return True
        if known["revision"] >= visit.revision:
            return False
        await self._connection.execute(_RENEW, *row)
        return True

    async def waiting(self, visit_types: Sequence[VisitType]) -> list[Visit]:
        """Visits of these types whose invoice has no number yet, locked in one order."""
        return [_visit(row) for row in await self._connection.fetch(_WAITING, list(visit_types))]


def _visit(row: Record) -> Visit:
    return Visit(
        appointment_id=AppointmentId(row["appointment_id"]),
        revision=row["revision"],
        patient_id=PatientId(row["patient_id"]),
        therapist_id=TherapistId(row["therapist_id"]),
        visit_type=VisitType(row["visit_type"]),
        starts_at=row["starts_at"],
        outcome=Outcome(row["outcome"]),
        decided_at=row["decided_at"],
    )
