"""Another tenant of the same platform sees nothing of all that happened here."""

from collections.abc import Iterator

import pytest
from tests.e2e.people import Person, Practice, Visit, book, eventually, invoice_of, slug

NOBODYS = "018f6f3e-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def strangers(elsewhere: Practice) -> dict[str, Person]:
    return {"patient": elsewhere.patient(), "therapist": elsewhere.therapist(), "administrator": elsewhere.administrator}


@pytest.mark.promise("AU13")
def test_lists_and_counts_of_another_tenant_hold_its_own_people_alone(
    practice: Practice, elsewhere: Practice, strangers: dict[str, Person], visit: Visit
) -> None:
    admin = elsewhere.administrator
    assert admin.get("/api/users/counts")["byRole"] == {"PATIENT": 1, "THERAPIST": 1, "ADMINISTRATOR": 1}
    assert {user["id"] for user in admin.get("/api/users")["items"]} == {person.id for person in strangers.values()}
    for person in strangers.values():
        assert person.get("/api/appointments")["items"] == []
        assert [each["id"] for each in person.get("/api/therapists")["items"]] == [strangers["therapist"].id]
    assert [admin.get("/api/invoices")["items"], admin.get("/api/invoices/totals")["totals"]] == [[], []]
    assert practice.administrator.get("/api/users/counts")["total"] > len(strangers)


@pytest.mark.promise("AU13")
@pytest.mark.parametrize("role", ["patient", "therapist", "administrator"])
def test_a_record_of_another_tenant_is_answered_like_one_that_is_not_there(
    strangers: dict[str, Person], visit: Visit, role: str
) -> None:
    person = strangers[role]
    invoice = eventually(lambda: invoice_of(visit.patient, visit.appointment_id))
    for path, method, theirs in _records(visit, str(invoice["id"])):
        foreign, missing = (person.ask(method, path.format(each), If_Match='"1"') for each in (theirs, NOBODYS))
        assert foreign.status_code in {403, 404}, path
        assert slug(foreign) == slug(missing), path
        assert foreign.json()["title"] == missing.json()["title"]


def test_a_therapist_of_another_tenant_cannot_be_booked(strangers: dict[str, Person], practice: Practice) -> None:
    therapist, patient = practice.therapist(), practice.patient()
    appointment = book(patient, therapist)
    wanted = {name: appointment[name] for name in ("therapistId", "startAt", "endAt", "visitType")}
    assert slug(strangers["patient"].ask("POST", "/api/appointments", wanted)) == (404, "therapist-not-found")


def test_a_password_is_good_in_its_own_tenant_alone(elsewhere: Practice, visit: Visit) -> None:
    visitor = visit.patient.forget()
    visitor.tenant = elsewhere.tenant
    assert visitor.sign_in().status_code == 401
    visitor.tenant = visit.practice.tenant
    assert visitor.sign_in().status_code == 200


def _records(visit: Visit, invoice_id: str) -> Iterator[tuple[str, str, str]]:
    yield "/api/users/{}", "GET", visit.patient.id
    yield "/api/users/{}/suspend", "POST", visit.patient.id
    yield "/api/therapists/{}", "GET", visit.therapist.id
    yield "/api/appointments/{}", "GET", visit.appointment_id
    yield "/api/appointments/{}/cancel", "POST", visit.appointment_id
    yield "/api/invoices/{}", "GET", invoice_id
    yield "/api/invoices/{}/pdf", "GET", invoice_id
