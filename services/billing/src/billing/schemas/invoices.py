"""Bodies of invoices, payments and sums."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from billing.domain.charges import Line, LineKind
from billing.domain.invoices import Invoice, PaymentMethod, Status, VoidReason
from billing.domain.money import MAX_AMOUNT_MINOR
from billing.domain.overview import Total
from billing.schemas.fields import Currency, Moment, Request, Response
from bloom_events.appointments import VisitType
from service_kit.pagination import decode_cursor

_PAYMENT: JsonDict = {"amountMinor": 14_280, "currency": "EUR", "method": "bank_transfer"}


_ID = "0195a000-0000-7000-8000-000000000001"
_AMOUNTS: JsonDict = {"netMinor": 12_000, "taxMinor": 2_280, "totalMinor": 14_280}
_LINE: JsonDict = {
    "kind": "visit",
    "visitType": "standard",
    "visitStartsAt": "2026-03-02T09:00:00Z",
    "priceMinor": 12_000,
    "percent": 100,
    "taxBasisPoints": 1_900,
    **_AMOUNTS,
}
_INVOICE: JsonDict = {
    "id": _ID,
    "number": "INV-000001",
    "status": "open",
    "appointmentId": _ID,
    "patientId": _ID,
    "therapistId": _ID,
    "currency": "EUR",
    **_AMOUNTS,
    "lines": [_LINE],
    "issuerName": "Vale Practice Ltd",
    "issuedAt": "2026-03-02T10:00:00Z",
    "dueOn": "2026-03-16",
    "paidAt": None,
    "endedAt": None,
    "voidReason": None,
    "creditNoteNumber": None,
    "createdAt": "2026-02-20T08:30:00Z",
    "revision": 3,
}


class PaymentRequest(Request):
    """A payment that was received; it has to be the whole amount of the invoice."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PAYMENT]})

    amount_minor: Annotated[int, Field(gt=0, le=2 * MAX_AMOUNT_MINOR, strict=True)]
    currency: Currency
    method: PaymentMethod


class VoidRequest(Request):
    """Why an invoice is taken back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "waived"}]})

    reason: VoidReason


class LineResponse(Response):
    """One line: a percentage of the price that is in force when the visit starts, and its tax, rounded half up."""

    kind: LineKind
    visit_type: VisitType
    visit_starts_at: Moment
    price_minor: int
    percent: int
    tax_basis_points: int
    net_minor: int
    tax_minor: int
    total_minor: int

    @classmethod
    def of(cls, line: Line) -> Self:
        return cls(
            kind=line.kind,
            visit_type=line.visit_type,
            visit_starts_at=line.visit_starts_at,
            price_minor=line.price_minor,
            percent=line.percent,
            tax_basis_points=line.tax_basis_points,
            net_minor=line.amounts.net_minor,
            tax_minor=line.amounts.tax_minor,
            total_minor=line.amounts.total_minor,
        )


class InvoiceResponse(Response):
    """An invoice. Amounts are in the currency's smallest unit, and null while there is no price for the visit yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INVOICE]})

    id: UUID
    number: str | None = Field(description="Without gaps per tenant; null before the invoice is issued.", examples=["INV-000001"])
    status: Status
    appointment_id: UUID
    patient_id: UUID
    therapist_id: UUID
    currency: str | None
    net_minor: int | None
    tax_minor: int | None
    total_minor: int | None
    lines: list[LineResponse]
    issuer_name: str | None
    issued_at: Moment | None
    due_on: date | None
    paid_at: Moment | None
    ended_at: Moment | None = Field(description="When it was voided, credited or discarded.")
    void_reason: VoidReason | None
    credit_note_number: str | None
    created_at: Moment
    revision: int = Field(description="Counts the changes; the ETag names it.")

    @classmethod
    def of(cls, invoice: Invoice) -> Self:
        amounts = invoice.amounts if invoice.lines else None
        return cls(
            id=invoice.invoice_id,
            number=invoice.number,
            status=invoice.status,
            appointment_id=invoice.appointment_id,
            patient_id=invoice.patient_id,
            therapist_id=invoice.therapist_id,
            currency=amounts and amounts.currency,
            net_minor=amounts and amounts.net_minor,
            tax_minor=amounts and amounts.tax_minor,
            total_minor=amounts and amounts.total_minor,
            lines=[LineResponse.of(line) for line in invoice.lines],
            issuer_name=invoice.issuer_name,
            issued_at=invoice.issued_at,
            due_on=invoice.due_on,
            paid_at=invoice.paid_at,
            ended_at=invoice.ended_at,
            void_reason=invoice.void_reason,
            credit_note_number=invoice.credit_note_number,
            created_at=invoice.created_at,
            revision=invoice.revision,
        )


class TotalResponse(Response):
    """The sum of all invoices of one currency in one state, in its smallest unit."""

    currency: str
    status: Status
    invoices: int
    net_minor: int
    tax_minor: int
    total_minor: int

    @classmethod
    def of(cls, total: Total) -> Self:
        return cls(
            currency=total.currency,
            status=total.status,
            invoices=total.invoices,
            net_minor=total.net_minor,
            tax_minor=total.tax_minor,
            total_minor=total.net_minor + total.tax_minor,
        )


class TotalsResponse(Response):
    """Sums by currency and state; amounts of different currencies are never added up."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"totals": [{"currency": "EUR", "status": "open", "invoices": 1, **_AMOUNTS}]}]}
    )

    totals: list[TotalResponse]

    @classmethod
    def of(cls, totals: Sequence[Total]) -> Self:
        return cls(totals=[TotalResponse.of(total) for total in totals])


def after_invoice(cursor: str | None) -> UUID | None:
    """The last invoice of the page before; raises InvalidCursor for what could not be one of ours."""
    if cursor is None:
        return None
    (last,) = decode_cursor(cursor, UUID)
    return last if isinstance(last, UUID) else None
