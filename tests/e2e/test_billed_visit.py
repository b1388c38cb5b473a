"""What a held visit leaves: the invoice under its number, its PDF, and a payment that settles it."""

import io
from typing import Any

import pytest
from pypdf import PdfReader
from tests.e2e.kafka_log import about, read
from tests.e2e.people import Visit, eventually, invoice_of


@pytest.mark.promise("PL5")
@pytest.mark.promise("PL18")
@pytest.mark.promise("AP8")
@pytest.mark.promise("BI1")
@pytest.mark.timeout(300)
def test_a_held_visit_becomes_an_invoice_with_a_number_and_a_pdf_and_the_administrator_records_its_payment(visit: Visit) -> None:
    step = f"/api/appointments/{visit.appointment_id}"
    eventually(lambda: visit.therapist.ask("POST", f"{step}/complete").status_code == 200, limit_seconds=90)
    opened = eventually(lambda: _in_state("open", visit))
    assert opened["number"] == "INV-000001"
    assert (opened["netMinor"], opened["taxMinor"], opened["totalMinor"]) == (9_500, 1_805, 11_305)

    pdf = visit.patient.ask("GET", f"/api/invoices/{opened['id']}/pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert "INV-000001" in text
    assert "113.05" in text

    payment = {"amountMinor": 11_305, "currency": "EUR", "method": "bank_transfer"}
    paid = visit.practice.administrator.must(
        "POST", f"/api/invoices/{opened['id']}/payments", payment, Idempotency_Key="payment-1"
    )
    assert paid["status"] == "paid"
    assert _in_state("paid", visit)["paidAt"] is not None
    kafka = visit.practice.stack.kafka.bootstrap
    assert eventually(lambda: about(read(kafka), "invoice.paid.v1", opened["id"]))


def test_the_patient_cannot_settle_the_own_invoice_and_the_therapist_sees_none(visit: Visit) -> None:
    invoice = eventually(lambda: invoice_of(visit.patient, visit.appointment_id))
    payment = {"amountMinor": 11_305, "currency": "EUR", "method": "cash"}
    assert visit.patient.ask("POST", f"/api/invoices/{invoice['id']}/payments", payment).status_code == 403
    assert visit.therapist.ask("GET", f"/api/invoices/{invoice['id']}").status_code == 403


def _in_state(status: str, visit: Visit) -> dict[str, Any]:
    invoice = invoice_of(visit.patient, visit.appointment_id)
    return invoice if invoice and invoice["status"] == status else {}
