"""What the database itself refuses: foreign tenants, unbalanced postings, rewritten invoices, a second live invoice."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

import service_kit
from bloom_events.ids import new_id
from service_kit.database import Connection, Pool
from service_kit.testing import as_tenant, assert_tenant_isolated

InsertRow = Callable[[Connection, UUID], Awaitable[object]]
MIGRATIONS = Path(__file__).parents[2] / "migrations"
DAY = "2026-03-02T09:00:00Z"


async def insert_terms(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute("insert into terms (tenant_id) values ($1)", tenant_id)


async def insert_price(connection: Connection, tenant_id: UUID) -> None:
    await insert_terms(connection, tenant_id)
    await connection.execute(
        "insert into prices (tenant_id, visit_type, revision, currency, net_minor, tax_basis_points, valid_from, set_by)"
        " values ($1, 'standard', 1, 'EUR', 100, 0, now(), $1)",
        tenant_id,
    )


async def insert_policy(connection: Connection, tenant_id: UUID) -> None:
    await insert_terms(connection, tenant_id)
    await connection.execute(
        "insert into policies (tenant_id, revision, valid_from, late_window_hours, late_percent, no_show_percent,"
        " payment_term_days, issuer_name, set_by) values ($1, 1, now(), 24, 50, 100, 14, 'Vale', $1)",
        tenant_id,
    )


async def insert_visit(connection: Connection, tenant_id: UUID) -> UUID:
    appointment_id = new_id()
    await connection.execute(
        "insert into visits (tenant_id, appointment_id, revision, patient_id, therapist_id, visit_type, starts_at, outcome,"
        " updated_at) values ($1, $2, 1, $1, $1, 'standard', now(), 'ahead', now())",
        tenant_id,
        appointment_id,
    )
    return appointment_id


async def insert_numbers(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute("insert into number_series (tenant_id) values ($1)", tenant_id)


async def insert_invoice(connection: Connection, tenant_id: UUID) -> UUID:
    """An open invoice of 119 with its line."""
    appointment_id, invoice_id = await insert_visit(connection, tenant_id), new_id()
    await connection.execute(
        "insert into invoices (id, tenant_id, appointment_id, sequence, patient_id, therapist_id, status, revision, currency,"
        " net_minor, tax_minor, number, issuer_name, issued_at, due_on, created_at)"
        " values ($1, $2, $3, 1, $2, $2, 'open', 1, 'EUR', 100, 19, gen_random_uuid()::text, 'Vale', now(), current_date, now())",
        invoice_id,
        tenant_id,
        appointment_id,
    )
    await insert_line(connection, tenant_id, invoice_id, 1, 100)
    return invoice_id


async def insert_line(connection: Connection, tenant_id: UUID, invoice_id: UUID, position: int, net: int) -> None:
    await connection.execute(
        "insert into invoice_lines (tenant_id, invoice_id, position, kind, visit_type, visit_starts_at, price_minor, percent,"
        " tax_basis_points, currency, net_minor, tax_minor)"
        " values ($1, $2, $3, 'visit', 'standard', now(), $4, 100, 1900, 'EUR', $4, 19)",
        tenant_id,
        invoice_id,
        position,
        net,
    )


async def insert_credit_note(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into credit_notes (id, tenant_id, invoice_id, number, currency, net_minor, tax_minor, issued_at)"
        " values ($1, $2, $3, 'CN-000001', 'EUR', 100, 19, now())",
        new_id(),
        tenant_id,
        await insert_invoice(connection, tenant_id),
    )


async def insert_payment(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into payments (id, tenant_id, invoice_id, amount_minor, currency, method, recorded_by, recorded_at)"
        " values ($1, $2, $3, 119, 'EUR', 'card', $2, now())",
        new_id(),
        tenant_id,
        await insert_invoice(connection, tenant_id),
    )


async def insert_posting(connection: Connection, tenant_id: UUID, *, credit: int = 119) -> UUID:
    posting_id = new_id()
    await connection.execute(
        "insert into journal_transactions (id, tenant_id, invoice_id, kind, currency, posted_at)"
        " values ($1, $2, $3, 'issued', 'EUR', now())",
        posting_id,
        tenant_id,
        await insert_invoice(connection, tenant_id),
    )
    await insert_entry(connection, tenant_id, posting_id, 1, side="debit", amount=119)
    await insert_entry(connection, tenant_id, posting_id, 2, side="credit", amount=credit)
    return posting_id


async def insert_entry(
    connection: Connection, tenant_id: UUID, posting_id: UUID, position: int, *, side: str, amount: int
) -> None:
    await connection.execute(
        "insert into journal_entries (tenant_id, transaction_id, position, account, side, amount_minor)"
        " values ($1, $2, $3, 'revenue', $4, $5)",
        tenant_id,
        posting_id,
        position,
        side,
        amount,
    )


async def insert_key(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into idempotency_keys (tenant_id, subject, route, key, request_hash, status, headers, body)"
        " values ($1, $1, 'POST /x', 'k', '', 201, '{}', '')",
        tenant_id,
    )


TABLES: dict[str, InsertRow] = {
    "terms": insert_terms,
    "prices": insert_price,
    "policies": insert_policy,
    "visits": insert_visit,
    "number_series": insert_numbers,
    "invoices": insert_invoice,
    "invoice_lines": insert_invoice,
    "credit_notes": insert_credit_note,
    "payments": insert_payment,
    "journal_transactions": insert_posting,
    "journal_entries": insert_posting,
    "idempotency_keys": insert_key,
}


@pytest.mark.promise("BI4")
@pytest.mark.parametrize("table", sorted(TABLES))
async def test_another_tenant_reads_and_writes_nothing_of_a_table(pool: Pool, table: str) -> None:
    await assert_tenant_isolated(pool, table, TABLES[table])

    assert await pool.fetchval("select relforcerowsecurity from pg_class where oid = $1::regclass", table)


async def test_every_table_with_a_tenant_is_in_the_list_above(owner: Pool) -> None:
    rows = await owner.fetch("select table_name from information_schema.columns where column_name = 'tenant_id'")

    assert {row["table_name"] for row in rows} - {"outbox", "outbox_parked"} == set(TABLES)


async def test_a_posting_that_does_not_balance_cannot_be_committed(pool: Pool) -> None:
    tenant_id = uuid4()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="not equal"):
        async with as_tenant(pool, tenant_id) as connection:
            await insert_posting(connection, tenant_id, credit=118)


async def test_a_posting_without_entries_cannot_be_committed(pool: Pool) -> None:
    tenant_id = uuid4()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="not equal"):
        async with as_tenant(pool, tenant_id) as connection:
            await connection.execute(
                "insert into journal_transactions (id, tenant_id, invoice_id, kind, currency, posted_at)"
                " values ($1, $2, $3, 'issued', 'EUR', now())",
                new_id(),
                tenant_id,
                await insert_invoice(connection, tenant_id),
            )


async def test_a_posting_takes_no_entries_later_even_balanced_ones(pool: Pool) -> None:
    tenant_id = uuid4()
    async with as_tenant(pool, tenant_id) as connection:
        posting_id = await insert_posting(connection, tenant_id)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="no entries after"):
        async with as_tenant(pool, tenant_id) as connection:
            await insert_entry(connection, tenant_id, posting_id, 3, side="debit", amount=5)


@pytest.mark.parametrize(
    "statement",
    [
        "update journal_entries set amount_minor = amount_minor + 1",
        "delete from journal_entries",
        "delete from journal_transactions",
        "truncate journal_entries",
    ],
)
async def test_even_the_owner_cannot_change_the_journal(owner: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never changed"):
        await owner.execute(statement)


async def test_the_application_may_not_even_try_to_change_the_journal(pool: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("delete from journal_entries")


@pytest.mark.parametrize(
    "change", ["net_minor = 1, tax_minor = 0", "number = 'INV-999999'", "due_on = due_on + 1", "issuer_name = 'X'"]
)
async def test_an_issued_invoice_cannot_be_rewritten(pool: Pool, change: str) -> None:
    tenant_id = uuid4()
    async with as_tenant(pool, tenant_id) as connection:
        await insert_invoice(connection, tenant_id)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="keeps its number"):
        async with as_tenant(pool, tenant_id) as connection:
            await connection.execute(f"update invoices set {change}")


async def test_a_finished_invoice_cannot_change_any_more(pool: Pool) -> None:
    tenant_id = uuid4()
    async with as_tenant(pool, tenant_id) as connection:
        await insert_invoice(connection, tenant_id)
        await connection.execute("update invoices set status = 'void', ended_at = now(), void_reason = 'waived'")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="finished"):
        async with as_tenant(pool, tenant_id) as connection:
            await connection.execute("update invoices set status = 'open', ended_at = null, void_reason = null")


async def insert_second_line(connection: Connection, tenant_id: UUID) -> None:
    await insert_line(connection, tenant_id, await insert_invoice(connection, tenant_id), 2, 0)


async def insert_second_invoice(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into invoices (id, tenant_id, appointment_id, sequence, patient_id, therapist_id, status, revision, created_at)"
        " select $1, tenant_id, appointment_id, 2, patient_id, therapist_id, 'unpriced', 1, now() from invoices where id = $2",
        new_id(),
        await insert_invoice(connection, tenant_id),
    )


async def test_lines_that_do_not_add_up_cannot_be_committed(pool: Pool) -> None:
    tenant_id = uuid4()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="do not add up"):
        async with as_tenant(pool, tenant_id) as connection:
            await insert_second_line(connection, tenant_id)


@pytest.mark.promise("BI4")
async def test_a_visit_cannot_have_two_live_invoices(pool: Pool) -> None:
    tenant_id = uuid4()
    with pytest.raises(asyncpg.UniqueViolationError, match="one_live_invoice_per_visit"):
        async with as_tenant(pool, tenant_id) as connection:
            await insert_second_invoice(connection, tenant_id)


def test_the_plumbing_tables_are_those_of_the_kit() -> None:
    canonical = (Path(service_kit.__file__).parent / "outbox.sql").read_text()

    ours = (MIGRATIONS / "0001_plumbing.sql").read_text()
    assert ours == canonical.replace("{app}", "billing_app").replace("{relay}", "billing_relay")
