"""The books of all tenants are compared: what billing wrote agrees, and each kind of difference is counted once planted."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from billing.repository.reconciliation import findings
from billing.use_cases.reconciliation import FINDINGS, reconcile
from bloom_events.ids import new_id
from local_stack.postgres import ServiceDatabase
from service_kit.database import Pool
from service_kit.testing import as_tenant

AGREE = {"completed_without_invoice": 0, "differs_from_journal": 0, "waits_for_price": 0}


class WorkersDatabase:
    """What the use case asks of a worker's database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def pool(self) -> Pool:
        return self._pool


async def add_completed_visit(pool: Pool, tenant_id: UUID) -> UUID:
    """A visit that took place, written past billing's own code."""
    appointment_id = new_id()
    async with as_tenant(pool, tenant_id) as connection:
        await connection.execute(
            "insert into visits (tenant_id, appointment_id, revision, patient_id, therapist_id, visit_type, starts_at, outcome,"
            " decided_at, updated_at) values ($1, $2, 1, $1, $1, 'standard', now(), 'completed', now(), now())",
            tenant_id,
            appointment_id,
        )
    return appointment_id


async def test_whatever_becomes_of_visits_the_books_agree(practice: Any, pool: Pool) -> None:
    before = await findings(pool)
    await practice.with_prices()
    for story in (
        practice.story().booked(),
        practice.story().booked().completed(),
        practice.story().booked().missed(),
        practice.story().booked().cancelled(hours_before=2),
        practice.story().booked().cancelled(hours_before=25),
        practice.story().booked().completed().corrected("no_show"),
        practice.story().booked().completed().corrected("cancelled"),
    ):
        await practice.hear(story.events)

    assert await findings(pool) == before


async def test_a_completed_visit_that_nobody_is_asked_to_pay_is_found(pool: Pool) -> None:
    before = await findings(pool)
    tenant_id = uuid4()
    appointment_id = await add_completed_visit(pool, tenant_id)
    assert await findings(pool) == before | {"completed_without_invoice": before["completed_without_invoice"] + 1}

    async with as_tenant(pool, tenant_id) as connection:
        await connection.execute(
            "insert into invoices (id, tenant_id, appointment_id, sequence, patient_id, therapist_id, status, revision,"
            " created_at) values ($1, $2, $3, 1, $2, $2, 'unpriced', 1, now())",
            new_id(),
            tenant_id,
            appointment_id,
        )
    assert await findings(pool) == before | {"waits_for_price": before["waits_for_price"] + 1}


async def test_an_invoice_that_asks_for_what_was_never_posted_is_found_and_shown(pool: Pool) -> None:
    before = await findings(pool)
    tenant_id = uuid4()
    appointment_id, invoice_id = await add_completed_visit(pool, tenant_id), new_id()
    async with as_tenant(pool, tenant_id) as connection:
        await connection.execute(
            "insert into invoices (id, tenant_id, appointment_id, sequence, patient_id, therapist_id, status, revision, currency,"
            " net_minor, tax_minor, number, issuer_name, issued_at, due_on, created_at)"
            " values ($1, $2, $3, 1, $2, $2, 'open', 1, 'EUR', 100, 0, 'INV-1', 'Vale', now(), current_date, now())",
            invoice_id,
            tenant_id,
            appointment_id,
        )
        await connection.execute(
            "insert into invoice_lines (tenant_id, invoice_id, position, kind, visit_type, visit_starts_at, price_minor, percent,"
            " tax_basis_points, currency, net_minor, tax_minor)"
            " values ($1, $2, 1, 'visit', 'standard', now(), 100, 100, 0, 'EUR', 100, 0)",
            tenant_id,
            invoice_id,
        )

    await reconcile(WorkersDatabase(pool))

    assert await findings(pool) == before | {"differs_from_journal": before["differs_from_journal"] + 1}
    assert FINDINGS.labels("differs_from_journal")._value.get() == before["differs_from_journal"] + 1


async def test_a_fresh_database_has_nothing_to_find(service_database: Any) -> None:
    connection = await asyncpg.connect(service_database("billing").app_url)
    try:
        found = {row["finding"]: row["invoices"] for row in await connection.fetch("select * from reconcile_invoices()")}
    finally:
        await connection.close()

    assert found == AGREE


async def test_nobody_but_the_service_may_compare_the_books(database: ServiceDatabase) -> None:
    connection = await asyncpg.connect(database.relay_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from reconcile_invoices()")
    finally:
        await connection.close()
