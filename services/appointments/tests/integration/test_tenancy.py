"""Each table shows another tenant nothing and takes nothing from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from service_kit.database import Connection
from service_kit.testing import assert_tenant_isolated

THERAPIST = """
    insert into therapists (tenant_id, id, display_name, accepts_new_patients, time_zone, slot_minutes,
                            buffer_before_minutes, buffer_after_minutes, languages, specialties, revision)
    values ($1, $2, 'Dr. Robin Vale', true, 'UTC', 50, 0, 10, '{}', '{}', 1)
"""
STANDING = """
    insert into therapist_standings (tenant_id, therapist_id, is_suspended, changed_at, event_id)
    values ($1, $2, true, now(), $2)
"""
HOURS = "insert into weekly_hours (tenant_id, therapist_id, weekday, opens_minute, closes_minute) values ($1, $2, 1, 540, 1020)"
EXCEPTION = """
    insert into availability_exceptions (tenant_id, id, therapist_id, kind, first_on, last_on)
    values ($1, $2, $2, 'closed', '2030-01-08', '2030-01-08')
"""
APPOINTMENT = """
    insert into appointments (tenant_id, id, patient_id, therapist_id, visit_type, status, starts_at, ends_at,
                              blocked_from, blocked_until, revision, booked_at)
    values ($1, $2, $2, $2, 'standard', 'booked', '2030-01-08 09:00Z', '2030-01-08 09:50Z',
            '2030-01-08 09:00Z', '2030-01-08 10:00Z', 1, now())
"""
ATTENDEE = "insert into appointment_attendees (tenant_id, appointment_id, user_id, role) values ($1, $2, $2, 'patient')"

ROWS: Mapping[str, tuple[str, ...]] = {
    "therapists": (THERAPIST,),
    "therapist_standings": (STANDING,),
    "weekly_hours": (THERAPIST, HOURS),
    "availability_exceptions": (THERAPIST, EXCEPTION),
    "appointments": (THERAPIST, APPOINTMENT),
    "appointment_attendees": (THERAPIST, APPOINTMENT, ATTENDEE),
}
TENANT_TABLES = """
    select c.relname from pg_attribute a join pg_class c on c.oid = a.attrelid
    where a.attname = 'tenant_id' and c.relkind = 'r'
"""
KIT_TABLES = {"outbox", "outbox_parked", "idempotency_keys"}


def writer_of(statements: tuple[str, ...]) -> Callable[[Connection, UUID], Awaitable[object]]:
    async def write(connection: Connection, tenant_id: UUID) -> None:
        row_id = uuid4()
        for statement in statements:
            await connection.execute(statement, tenant_id, row_id)

    return write


@pytest.mark.parametrize("table", ROWS)
async def test_a_table_shows_another_tenant_nothing_and_takes_nothing_from_it(clinic: Any, table: str) -> None:
    await assert_tenant_isolated(clinic.pool, table, writer_of(ROWS[table]))
    for statements in ROWS.values():
        with pytest.raises(Exception, match="row-level security"):
            async with clinic.pool.acquire() as connection, connection.transaction():
                await connection.execute(statements[0], uuid4(), uuid4())


async def test_no_table_with_a_tenant_is_left_out_of_these_tests(clinic: Any) -> None:
    async with clinic.pool.acquire() as connection:
        tables = {row["relname"] for row in await connection.fetch(TENANT_TABLES)}
    assert tables == set(ROWS) | KIT_TABLES


async def test_two_tenants_may_use_the_same_ids_and_times_without_noticing_each_other(clinic: Any, other_clinic: Any) -> None:
    person_id = uuid4()
    for tenant in (clinic, other_clinic):
        await tenant.book(tenant.person("PATIENT", person_id), await tenant.therapist())
    for tenant in (clinic, other_clinic):
        assert len((await tenant.person("PATIENT", person_id).get("/api/appointments")).json()["items"]) == 1
