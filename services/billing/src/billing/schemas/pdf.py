"""The PDF of an issued invoice and its credit note: the same bytes each time; money and dates, nothing of why somebody came."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, get_currency_precision
from fpdf import FPDF

from billing.domain.charges import Line, LineKind
from billing.domain.invoices import Invoice, InvoiceNotIssued, Status
from bloom_events.appointments import VisitType

_LOCALE = "en"
_FONT = "helvetica"
_WIDTHS = (92, 20, 26, 26, 26)
_KINDS = {
    LineKind.VISIT: "Visit",
    LineKind.LATE_CANCELLATION: "Late cancellation",
    LineKind.NO_SHOW: "Missed visit",
}
_VISIT_TYPES = {VisitType.INITIAL: "initial", VisitType.STANDARD: "standard", VisitType.EXTENDED: "extended"}


def render_invoice(invoice: Invoice) -> bytes:
    """The document; raises InvoiceNotIssued for an invoice without a number."""
    if invoice.number is None or invoice.issued_at is None or invoice.due_on is None:
        raise InvoiceNotIssued
    pdf = FPDF(format="A4")
    pdf.set_creation_date(invoice.issued_at)
    pdf.set_title(f"Invoice {invoice.number}")
    pdf.set_author(invoice.issuer_name or "")
    pdf.set_lang(_LOCALE)
    pdf.add_page()
    _head(pdf, invoice, invoice.number, invoice.issued_at, invoice.due_on)
    _table(pdf, invoice)
    _sums(pdf, invoice)
    _standing(pdf, invoice)
    if invoice.credit_note_number and invoice.ended_at:
        _credit_note(pdf, invoice, invoice.credit_note_number, invoice.ended_at)
    return bytes(pdf.output())


def money(amount_minor: int, currency: str) -> str:
    """An amount with its ISO code, grouped and with as many decimals as the currency has."""
    digits = get_currency_precision(currency)
    text: str = format_currency(Decimal(amount_minor).scaleb(-digits), currency, "¤¤ #,##0.00", locale=_LOCALE)
    return text.replace("\xa0", " ")


def _head(pdf: FPDF, invoice: Invoice, number: str, issued_at: datetime, due_on: date) -> None:
    _title(pdf, f"Invoice {number}", invoice, issued_at, f"Due on: {_day(due_on)}")


def _credit_note(pdf: FPDF, invoice: Invoice, number: str, issued_at: datetime) -> None:
    pdf.add_page()
    _title(pdf, f"Credit note {number}", invoice, issued_at, f"Takes back in full: Invoice {invoice.number}")
    _table(pdf, invoice)
    _sums(pdf, invoice, "Credited ")


def _title(pdf: FPDF, title: str, invoice: Invoice, issued_at: datetime, fact: str) -> None:
    pdf.set_font(_FONT, "B", 16)
    pdf.cell(0, 10, title, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(_FONT, size=10)
    issue = (f"Issued by: {invoice.issuer_name}", f"Issued on: {_day(issued_at.date())}", fact)
    for line in (*issue, f"Patient: {invoice.patient_id}", f"Appointment: {invoice.appointment_id}"):
        pdf.cell(0, 6, line, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(6)


def _table(pdf: FPDF, invoice: Invoice) -> None:
    aligns = ("LEFT", "RIGHT", "RIGHT", "RIGHT", "RIGHT")
    with pdf.table(col_widths=_WIDTHS, text_align=aligns, line_height=6) as table:
        for cells in (("Service", "Tax rate", "Net", "Tax", "Total"), *(_cells(line) for line in invoice.lines)):
            row = table.row()
            for cell in cells:
                row.cell(cell)


def _cells(line: Line) -> tuple[str, ...]:
    at = format_datetime(line.visit_starts_at, "d MMM y, HH:mm 'UTC'", locale=_LOCALE)
    share = "" if line.kind is LineKind.VISIT else f", {line.percent} % of {money(line.price_minor, line.amounts.currency)}"
    rate = format_decimal(Decimal(line.tax_basis_points).scaleb(-2), locale=_LOCALE)
    amounts = line.amounts
    sums = (money(amount, amounts.currency) for amount in (amounts.net_minor, amounts.tax_minor, amounts.total_minor))
    return f"{_KINDS[line.kind]} ({_VISIT_TYPES[line.visit_type]}) of {at}{share}", f"{rate} %", *sums


def _sums(pdf: FPDF, invoice: Invoice, prefix: str = "") -> None:
    amounts = invoice.amounts
    pdf.ln(4)
    for name, amount in (("net", amounts.net_minor), ("tax", amounts.tax_minor), ("total", amounts.total_minor)):
        pdf.set_font(_FONT, "B" if name == "total" else "", 11)
        text = f"{prefix}{name}: {money(amount, amounts.currency)}"
        pdf.cell(0, 7, text[0].upper() + text[1:], align="R", new_x="LMARGIN", new_y="NEXT")


def _standing(pdf: FPDF, invoice: Invoice) -> None:
    pdf.ln(4)
    pdf.set_font(_FONT, size=10)
    if invoice.status is Status.VOID:
        pdf.cell(0, 6, "This invoice was voided. Nothing is owed.")
    elif invoice.credit_note_number:
        pdf.cell(0, 6, f"Credited in full by credit note {invoice.credit_note_number}.")
    elif invoice.paid_at:
        pdf.cell(0, 6, f"Paid on {_day(invoice.paid_at.date())}. Thank you.")


def _day(day: date) -> str:
    return str(format_date(day, "d MMMM y", locale=_LOCALE))
