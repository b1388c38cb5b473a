"""The PDF: readable, the same bytes every time, and without a word about what a visit was for."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pypdf import PdfReader

from billing.domain import invoices
from billing.domain.charges import charge_for, full_price
from billing.domain.invoices import Invoice, InvoiceNotIssued, VoidReason
from billing.domain.terms import Policy, Price
from billing.domain.visits import Outcome, Visit
from billing.schemas.pdf import money, render_invoice
from bloom_events.appointments import VisitType
from bloom_events.ids import AppointmentId, CreditNoteId, InvoiceId, PatientId, TherapistId

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
ID = UUID("0195a000-0000-7000-8000-000000000001")
VISIT = Visit(AppointmentId(ID), 1, PatientId(ID), TherapistId(UUID(int=7)), VisitType.STANDARD, NOW, Outcome.COMPLETED, NOW)


def issued(currency: str = "EUR", net_minor: int = 123_456, outcome: Outcome = Outcome.COMPLETED) -> Invoice:
    price = Price(VisitType.STANDARD, currency, net_minor, 725, NOW - timedelta(days=1), 1)
    policy = Policy(issuer_name="Vale Practice Ltd", no_show_percent=50)
    line = charge_for(VISIT, outcome, price, policy)
    assert line is not None
    draft = invoices.draft(invoices.begin(InvoiceId(ID), VISIT, 1, NOW), full_price(VISIT, price)).invoice
    return invoices.open_(draft, line, number="INV-000042", policy=policy, now=NOW).invoice


def text_of(document: bytes) -> str:
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(document)).pages)
    return " ".join(text.split())


def test_the_document_can_be_read_and_names_what_is_owed() -> None:
    text = text_of(render_invoice(issued()))

    for expected in ("Invoice INV-000042", "Vale Practice Ltd", "3 March 2026", "17 March 2026", "EUR 1,234.56", "EUR 89.51"):
        assert expected in text
    assert "Total: EUR 1,324.07" in text


def test_the_same_invoice_gives_the_same_bytes() -> None:
    assert render_invoice(issued()) == render_invoice(issued())


def test_a_missed_visit_shows_its_percentage() -> None:
    text = text_of(render_invoice(issued(outcome=Outcome.MISSED)))

    assert "Missed visit" in text
    assert "50 % of EUR" in text


def test_nothing_about_the_treatment_is_in_the_document() -> None:
    text = text_of(render_invoice(issued())).lower()

    assert str(VISIT.therapist_id) not in text
    assert not any(word in text for word in ("therap", "diagnos", "treatment", "mental", "health", "session"))


def test_the_document_says_how_the_invoice_stands() -> None:
    open_ = issued()
    amounts = open_.amounts
    paid = invoices.pay(open_, amount_minor=amounts.total_minor, currency="EUR", now=NOW).invoice
    credited = invoices.credit(paid, credit_note_id=CreditNoteId(ID), number="CN-000001", now=NOW).invoice
    voided = invoices.void(open_, reason=VoidReason.WAIVED, now=NOW).invoice

    assert "Paid on 3 March 2026" in text_of(render_invoice(paid))
    assert "Credited in full by credit note CN-000001" in text_of(render_invoice(credited))
    assert "was voided" in text_of(render_invoice(voided))


def test_a_credited_invoice_comes_with_its_credit_note() -> None:
    later = NOW + timedelta(days=3)
    credited = invoices.credit(issued(), credit_note_id=CreditNoteId(ID), number="CN-000007", now=later).invoice
    note = " ".join(PdfReader(io.BytesIO(render_invoice(credited))).pages[1].extract_text().split())

    for expected in ("Credit note CN-000007", "Invoice INV-000042", "6 March 2026", "Credited total: EUR 1,324.07"):
        assert expected in note


def test_an_invoice_without_a_number_has_no_document() -> None:
    with pytest.raises(InvoiceNotIssued):
        render_invoice(replace(issued(), number=None))


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(123_456, "EUR", "EUR 1,234.56"), (123_456, "JPY", "JPY 123,456"), (123_456, "KWD", "KWD 123.456"), (5, "USD", "USD 0.05")],
)
def test_money_is_written_with_the_decimals_of_its_currency(amount: int, currency: str, written: str) -> None:
    assert money(amount, currency) == written
