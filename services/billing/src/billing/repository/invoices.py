"""Rows of invoices with their lines, credit notes and payments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from billing.domain.charges import Line, LineKind
from billing.domain.invoices import CreditNote, Invoice, InvoiceNotFound, PaymentMethod, Status, VoidReason
from billing.domain.money import Amounts
from billing.domain.overview import InvoiceFilter, Total
from billing.domain.visibility import VisibleInvoices
from bloom_events.appointments import VisitType
from bloom_events.ids import AppointmentId, InvoiceId, PatientId, TherapistId, new_id
from service_kit.database import Connection

_SELECT = """
    select i.*, c.number as credit_note_number,
        (select jsonb_agg(to_jsonb(l) order by l.position) from invoice_lines l where l.invoice_id = i.id) as lines
    from invoices i left join credit_notes c on c.invoice_id = i.id
"""
_VISIBLE = " where ($1::uuid is null or i.patient_id = $1)"
_FILTER = """
      and ($2::text[] is null or i.status = any($2))
      and ($3::text is null or i.currency = $3)
      and ($4::timestamptz is null or i.issued_at >= $4)
      and ($5::timestamptz is null or i.issued_at < $5)
      and ($6::uuid is null or i.patient_id = $6)
"""
_LIST = _SELECT + _VISIBLE + _FILTER + " and ($7::uuid is null or i.id < $7) order by i.id desc limit $8"
_SUMS = """
    select i.currency, i.status, count(*) as invoices,
        sum(i.net_minor)::bigint as net_minor, sum(i.tax_minor)::bigint as tax_minor
    from invoices i
"""
_BY_CURRENCY_AND_STATUS = " and i.currency is not null group by i.currency, i.status order by i.currency, i.status"
_TOTALS = _SUMS + _VISIBLE + _FILTER + _BY_CURRENCY_AND_STATUS
_SAVE = """
    insert into invoices (id, appointment_id, sequence, patient_id, therapist_id, created_at, status, revision, currency,
        net_minor, tax_minor, number, issuer_name, issued_at, due_on, paid_at, ended_at, void_reason)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    on conflict (id) do update set
        status = excluded.status, revision = excluded.revision, currency = excluded.currency, net_minor = excluded.net_minor,
        tax_minor = excluded.tax_minor, number = excluded.number, issuer_name = excluded.issuer_name,
        issued_at = excluded.issued_at, due_on = excluded.due_on, paid_at = excluded.paid_at, ended_at = excluded.ended_at,
        void_reason = excluded.void_reason, updated_at = now()
"""
_ADD_LINE = """
    insert into invoice_lines (invoice_id, position, kind, visit_type, visit_starts_at, price_minor, percent,
        tax_basis_points, currency, net_minor, tax_minor)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_ADD_CREDIT_NOTE = """
    insert into credit_notes (id, invoice_id, number, currency, net_minor, tax_minor, issued_at)
    values ($1, $2, $3, $4, $5, $6, $7)
"""
_ADD_PAYMENT = """
    insert into payments (id, invoice_id, amount_minor, currency, method, recorded_by, recorded_at)
    values ($1, $2, $3, $4, $5, $6, $7)
"""


class InvoiceRepository:
    """Reads and writes invoices within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_visit(self, appointment_id: AppointmentId) -> list[Invoice]:
        """The invoices of a visit in order of sequence, locked."""
        statement = _SELECT + " where i.appointment_id = $1 order by i.sequence for update of i"
        return [_invoice(row) for row in await self._connection.fetch(statement, appointment_id)]

    async def get(self, invoice_id: UUID, visible: VisibleInvoices) -> Invoice:
        """An invoice that the caller may see."""
        return await self._get(_SELECT + _VISIBLE + " and i.id = $2", invoice_id, visible)

    async def lock(self, invoice_id: UUID, visible: VisibleInvoices) -> Invoice:
        """The same, kept from others until the end of the transaction."""
        return await self._get(_SELECT + _VISIBLE + " and i.id = $2 for update of i", invoice_id, visible)

    async def list_visible(
        self, visible: VisibleInvoices, wanted: InvoiceFilter, *, after: UUID | None, limit: int
    ) -> list[Invoice]:
        """The newest first, from behind `after` on."""
        rows = await self._connection.fetch(_LIST, visible.patient_id, *_narrowed(wanted), after, limit)
        return [_invoice(row) for row in rows]

    async def totals(self, visible: VisibleInvoices, wanted: InvoiceFilter) -> list[Total]:
        """Sums by currency and state; what has no price yet counts for nothing."""
        rows = await self._connection.fetch(_TOTALS, visible.patient_id, *_narrowed(wanted))
        return [Total(r["currency"], Status(r["status"]), r["invoices"], r["net_minor"], r["tax_minor"]) for r in rows]

    async def save(self, invoice: Invoice, *, with_lines: bool) -> None:
        """Write an invoice as it now is, and its lines where they have changed."""
        await self._connection.execute(_SAVE, *_row(invoice))
        if with_lines:
            await self._connection.execute("delete from invoice_lines where invoice_id = $1", invoice.invoice_id)
            await self._connection.executemany(_ADD_LINE, _line_rows(invoice))

    async def add_credit_note(self, note: CreditNote) -> None:
        """Add a credit note; an invoice takes one."""
        amounts = note.amounts.currency, note.amounts.net_minor, note.amounts.tax_minor
        await self._connection.execute(
            _ADD_CREDIT_NOTE, note.credit_note_id, note.invoice_id, note.number, *amounts, note.issued_at
        )

    async def add_payment(self, invoice: Invoice, *, method: PaymentMethod, recorded_by: UUID, now: datetime) -> None:
        """Add the payment of a whole invoice; an invoice takes one."""
        amounts = invoice.amounts
        await self._connection.execute(
            _ADD_PAYMENT, new_id(), invoice.invoice_id, amounts.total_minor, amounts.currency, method, recorded_by, now
        )

    async def _get(self, statement: str, invoice_id: UUID, visible: VisibleInvoices) -> Invoice:
        row = await self._connection.fetchrow(statement, visible.patient_id, invoice_id)
        if row is None:
            raise InvoiceNotFound
        return _invoice(row)


def _narrowed(wanted: InvoiceFilter) -> tuple[object, ...]:
    statuses = [status.value for status in wanted.statuses] if wanted.statuses else None
    return statuses, wanted.currency, wanted.issued_from, wanted.issued_before, wanted.patient_id


def _row(invoice: Invoice) -> tuple[object, ...]:
    amounts = invoice.amounts if invoice.lines else None
    identity = invoice.invoice_id, invoice.appointment_id, invoice.sequence, invoice.patient_id, invoice.therapist_id
    money = (amounts.currency, amounts.net_minor, amounts.tax_minor) if amounts else (None, None, None)
    issue = invoice.number, invoice.issuer_name, invoice.issued_at, invoice.due_on
    end = invoice.paid_at, invoice.ended_at, invoice.void_reason
    return *identity, invoice.created_at, invoice.status, invoice.revision, *money, *issue, *end


def _line_rows(invoice: Invoice) -> Sequence[tuple[object, ...]]:
    return [
        (
            invoice.invoice_id, position, line.kind, line.visit_type, line.visit_starts_at, line.price_minor, line.percent,
            line.tax_basis_points, line.amounts.currency, line.amounts.net_minor, line.amounts.tax_minor,
        )
        for position, line in enumerate(invoice.lines, start=1)
    ]  # fmt: skip


def _invoice(row: Record) -> Invoice:
    return Invoice(
        invoice_id=InvoiceId(row["id"]),
        appointment_id=AppointmentId(row["appointment_id"]),
        sequence=row["sequence"],
        patient_id=PatientId(row["patient_id"]),
        therapist_id=TherapistId(row["therapist_id"]),
        status=Status(row["status"]),
        revision=row["revision"],
        created_at=row["created_at"],
        lines=tuple(_line(line) for line in row["lines"] or ()),
        number=row["number"],
        issuer_name=row["issuer_name"],
        issued_at=row["issued_at"],
        due_on=row["due_on"],
        paid_at=row["paid_at"],
        ended_at=row["ended_at"],
        void_reason=VoidReason(row["void_reason"]) if row["void_reason"] else None,
        credit_note_number=row["credit_note_number"],
    )


def _line(row: dict[str, Any]) -> Line:
    return Line(
        kind=LineKind(row["kind"]),
        visit_type=VisitType(row["visit_type"]),
        visit_starts_at=datetime.fromisoformat(row["visit_starts_at"]),
        price_minor=row["price_minor"],
        percent=row["percent"],
        tax_basis_points=row["tax_basis_points"],
        amounts=Amounts(row["currency"], row["net_minor"], row["tax_minor"]),
    )
