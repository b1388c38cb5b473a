"""Events of billing: the life of an invoice. Amounts are whole minor units (cents), never fractions."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from bloom_events.event import Currency, Event, MinorUnits, PlainText, ReasonCode, UtcTime
from bloom_events.ids import AppointmentId, CreditNoteId, InvoiceId, PatientId, TherapistId
from bloom_events.topics import INVOICES, Topic


class InvoiceEvent(Event):
    """Something that happened to the invoice of one appointment."""

    TOPIC: ClassVar[Topic] = INVOICES
    KEY: ClassVar[str] = "invoice_id"

    invoice_id: InvoiceId
    """The invoice."""
    appointment_id: AppointmentId
    """The appointment it charges for."""
    patient_id: PatientId
    """Who pays."""


class PricedInvoiceEvent(InvoiceEvent):
    """Something that happened to an invoice, with its amounts after that."""

    therapist_id: TherapistId
    """Who treats."""
    currency: Currency
    """ISO 4217 code of all amounts."""
    net_minor: MinorUnits
    """Sum of the lines before tax, in minor units."""
    tax_minor: MinorUnits
    """Tax, in minor units."""
    total_minor: MinorUnits
    """Net and tax together, in minor units."""


class InvoiceDrafted(PricedInvoiceEvent):
    """A booking made a draft; it has no number yet and nobody owes it."""

    TYPE: ClassVar[str] = "invoice.drafted.v1"


class InvoiceOpened(PricedInvoiceEvent):
    """The invoice got its number and is owed."""

    TYPE: ClassVar[str] = "invoice.opened.v1"

    number: PlainText
    """The invoice's number, without gaps per tenant."""
    issued_at: UtcTime
    """When it was issued."""
    due_on: date
    """The last day on which it can be paid in time."""


class InvoicePaid(PricedInvoiceEvent):
    """The invoice is paid in full."""

    TYPE: ClassVar[str] = "invoice.paid.v1"

    number: PlainText
    """The invoice's number."""
    paid_at: UtcTime
    """When the payment was recorded."""
    amount_minor: MinorUnits
    """What was paid, in minor units."""


class InvoiceVoided(PricedInvoiceEvent):
    """The invoice is no longer owed and never was."""

    TYPE: ClassVar[str] = "invoice.voided.v1"

    number: PlainText | None = None
    """The invoice's number, if it had one."""
    reason: ReasonCode
    """Why it is void, as a code."""


class InvoiceDiscarded(InvoiceEvent):
    """A draft was thrown away: the appointment will not be charged."""

    TYPE: ClassVar[str] = "invoice.discarded.v1"


class InvoiceCredited(PricedInvoiceEvent):
    """A credit note cancels the whole invoice."""

    TYPE: ClassVar[str] = "invoice.credited.v1"

    number: PlainText
    """The invoice's number."""
    credit_note_id: CreditNoteId
    """The credit note."""
    credit_note_number: PlainText
    """The credit note's number, without gaps per tenant."""


EVENTS: tuple[type[Event], ...] = (
    InvoiceDrafted,
    InvoiceOpened,
    InvoicePaid,
    InvoiceVoided,
    InvoiceDiscarded,
    InvoiceCredited,
)
