"""Invoices: their states, the transitions that make sense, and what each says to the world and to the ledger.

unpriced -> draft -> open -> paid -> credited
unpriced -> discarded;  draft -> discarded | void;  open -> void | credited
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypedDict

from billing.domain import ledger
from billing.domain.charges import Line
from billing.domain.ledger import Posting
from billing.domain.money import Amounts
from billing.domain.terms import Policy
from billing.domain.visits import Visit
from bloom_events.billing import (
    InvoiceCredited,
    InvoiceDiscarded,
    InvoiceDrafted,
    InvoiceOpened,
    InvoicePaid,
    InvoiceVoided,
)
from bloom_events.event import Event
from bloom_events.ids import AppointmentId, CreditNoteId, InvoiceId, PatientId, TherapistId
from service_kit.errors import NotFound, Problem


class Status(StrEnum):
    """The states of an invoice. `unpriced` waits for a price of its type of visit; only from `open` on it has a number."""

    UNPRICED = "unpriced"
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    CREDITED = "credited"
    DISCARDED = "discarded"


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.UNPRICED: frozenset({Status.DRAFT, Status.DISCARDED}),
    Status.DRAFT: frozenset({Status.DRAFT, Status.OPEN, Status.DISCARDED, Status.VOID}),
    Status.OPEN: frozenset({Status.PAID, Status.VOID, Status.CREDITED}),
    Status.PAID: frozenset({Status.CREDITED}),
    Status.VOID: frozenset(),
    Status.CREDITED: frozenset(),
    Status.DISCARDED: frozenset(),
}
"""From each state those that may follow; a draft may be drafted anew."""


class VoidReason(StrEnum):
    """Why an administrator takes an invoice back."""

    ISSUED_IN_ERROR = "issued_in_error"
    WAIVED = "waived"
    DISPUTED = "disputed"


class PaymentMethod(StrEnum):
    """How a payment reached the practice."""

    BANK_TRANSFER = "bank_transfer"
    CARD = "card"
    CASH = "cash"


class InvoiceNotFound(NotFound):
    """There is no such invoice for this caller."""

    slug, title = "invoice-not-found", "There is no such invoice"


class InvoiceStateConflict(Problem):
    """The invoice is in a state from which this makes no sense."""

    slug, status, title = "invoice-state-conflict", 409, "The invoice is not in a state that allows this"


class InvoiceNotIssued(InvoiceStateConflict):
    """There is a document only of an invoice that has its number."""

    slug, title = "invoice-not-issued", "The invoice has not been issued"


class PaymentAmountMismatch(Problem):
    """A payment is the whole total in the invoice's currency, neither less nor more."""

    slug, status, title = "payment-amount-mismatch", 409, "A payment must be the whole amount of the invoice"


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice for one visit; `sequence` is 1 for the visit's own, 2 and up for what a correction charges anew."""

    invoice_id: InvoiceId
    appointment_id: AppointmentId
    sequence: int
    patient_id: PatientId
    therapist_id: TherapistId
    status: Status
    revision: int
    created_at: datetime
    lines: tuple[Line, ...] = ()
    number: str | None = None
    issuer_name: str | None = None
    issued_at: datetime | None = None
    due_on: date | None = None
    paid_at: datetime | None = None
    ended_at: datetime | None = None
    void_reason: VoidReason | None = None
    credit_note_number: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether money is, or will be, asked for or was received for it."""
        return self.status in {Status.UNPRICED, Status.DRAFT, Status.OPEN, Status.PAID}

    @property
    def is_issued(self) -> bool:
        return self.status in {Status.OPEN, Status.PAID}

    @property
    def amounts(self) -> Amounts:
        """The sum of the lines; an unpriced invoice has none and refuses."""
        return Amounts(
            currency=self.lines[0].amounts.currency,
            net_minor=sum(line.amounts.net_minor for line in self.lines),
            tax_minor=sum(line.amounts.tax_minor for line in self.lines),
        )


@dataclass(frozen=True, slots=True)
class CreditNote:
    """Takes a whole invoice back, under a number of its own series."""

    credit_note_id: CreditNoteId
    invoice_id: InvoiceId
    number: str
    issued_at: datetime
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: the invoice after it, what it publishes, posts and issues."""

    invoice: Invoice
    events: tuple[Event, ...] = ()
    posting: Posting | None = None
    credit_note: CreditNote | None = None


def begin(invoice_id: InvoiceId, visit: Visit, sequence: int, now: datetime) -> Invoice:
    """An invoice that waits for its price."""
    return Invoice(
        invoice_id=invoice_id,
        appointment_id=visit.appointment_id,
        sequence=sequence,
        patient_id=visit.patient_id,
        therapist_id=visit.therapist_id,
        status=Status.UNPRICED,
        revision=1,
        created_at=now,
    )


def draft(invoice: Invoice, line: Line) -> Step:
    """Price an invoice, or price it anew while it is a draft."""
    drafted = replace(_moved(invoice, Status.DRAFT), lines=(line,))
    return Step(drafted, (InvoiceDrafted(**_facts(drafted)),))


def open_(invoice: Invoice, line: Line, *, number: str, policy: Policy, now: datetime) -> Step:
    """Give a draft its number and its final line; from here on it is owed."""
    due_on = (now + timedelta(days=policy.payment_term_days)).date()
    opened = replace(
        _moved(invoice, Status.OPEN), lines=(line,), number=number, issuer_name=policy.issuer_name, issued_at=now, due_on=due_on
    )
    event = InvoiceOpened(**_facts(opened), number=number, issued_at=now, due_on=due_on)
    return Step(opened, (event,), ledger.issue(opened.invoice_id, opened.amounts))


def discard(invoice: Invoice, now: datetime) -> Step:
    """Throw a draft away; one that was never announced goes without a word."""
    discarded = replace(_moved(invoice, Status.DISCARDED), ended_at=now)
    event = InvoiceDiscarded(invoice_id=invoice.invoice_id, appointment_id=invoice.appointment_id, patient_id=invoice.patient_id)
    return Step(discarded, (event,) if invoice.lines else ())


def pay(invoice: Invoice, *, amount_minor: int, currency: str, now: datetime) -> Step:
    """Record that the whole total was received."""
    paid = replace(_moved(invoice, Status.PAID), paid_at=now)
    if (amount_minor, currency) != (paid.amounts.total_minor, paid.amounts.currency):
        raise PaymentAmountMismatch
    event = InvoicePaid(**_facts(paid), number=_number(paid), paid_at=now, amount_minor=amount_minor)
    return Step(paid, (event,), ledger.pay(paid.invoice_id, paid.amounts))


def void(invoice: Invoice, *, reason: VoidReason, now: datetime) -> Step:
    """Take back what is not yet paid; the last word on this visit."""
    voided = replace(_moved(invoice, Status.VOID), ended_at=now, void_reason=reason)
    event = InvoiceVoided(**_facts(voided), number=voided.number, reason=reason.value)
    posting = ledger.void(voided.invoice_id, voided.amounts) if invoice.is_issued else None
    return Step(voided, (event,), posting)


def credit(invoice: Invoice, *, credit_note_id: CreditNoteId, number: str, now: datetime) -> Step:
    """Cancel an issued invoice as a whole by a credit note."""
    credited = replace(_moved(invoice, Status.CREDITED), ended_at=now, credit_note_number=number)
    note = CreditNote(credit_note_id, credited.invoice_id, number, now, credited.amounts)
    event = InvoiceCredited(
        **_facts(credited), number=_number(credited), credit_note_id=credit_note_id, credit_note_number=number
    )
    was_paid = invoice.status is Status.PAID
    return Step(credited, (event,), ledger.credit(credited.invoice_id, credited.amounts, was_paid=was_paid), note)


def _moved(invoice: Invoice, to: Status) -> Invoice:
    if to not in TRANSITIONS[invoice.status]:
        raise InvoiceStateConflict(f"The invoice is {invoice.status.value}.")
    return replace(invoice, status=to, revision=invoice.revision + 1)


def _number(invoice: Invoice) -> str:
    if invoice.number is None:
        raise InvoiceStateConflict("The invoice has no number.")
    return invoice.number


class _Facts(TypedDict):
    invoice_id: InvoiceId
    appointment_id: AppointmentId
    patient_id: PatientId
    therapist_id: TherapistId
    currency: str
    net_minor: int
    tax_minor: int
    total_minor: int


def _facts(invoice: Invoice) -> _Facts:
    amounts = invoice.amounts
    return _Facts(
        invoice_id=invoice.invoice_id,
        appointment_id=invoice.appointment_id,
        patient_id=invoice.patient_id,
        therapist_id=invoice.therapist_id,
        currency=amounts.currency,
        net_minor=amounts.net_minor,
        tax_minor=amounts.tax_minor,
        total_minor=amounts.total_minor,
    )
