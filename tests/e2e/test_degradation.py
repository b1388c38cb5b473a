"""With a part of the platform away the rest goes on, and what was missed is made good when the part is back."""

import httpx
import pytest
from tests.e2e.kafka_log import about, read
from tests.e2e.outages import away
from tests.e2e.people import Person, Practice, book, eventually, invoice_of, slug

pytestmark = pytest.mark.timeout(300)

READS = {
    "auth-api": "/api/users/me",
    "appointments-api": "/api/appointments",
    "billing-api": "/api/invoices",
    "messaging-api": "/api/conversations",
    "notifications-api": "/api/notifications/preferences",
}


@pytest.fixture(scope="module")
def therapist(practice: Practice) -> Person:
    return practice.therapist("Dr. Always There")


@pytest.fixture
def patient(practice: Practice) -> Person:
    return practice.patient()


def everything_answers(person: Person) -> bool:
    return all(person.ask("GET", path).status_code == 200 for path in READS.values())


@pytest.mark.promise("PL20")
@pytest.mark.promise("BI1")
def test_visits_are_booked_while_billing_is_away_and_their_invoices_are_there_when_it_is_back(
    practice: Practice, patient: Person, therapist: Person
) -> None:
    services = practice.stack.services
    with away(services["billing-api"], services["billing-worker"]) as bring_back:
        appointment = book(patient, therapist)
        assert therapist.post(f"/api/appointments/{appointment['id']}/confirm")["status"] == "confirmed"
        assert slug(patient.ask("GET", "/api/invoices")) == (503, "service-unavailable")
        bring_back()
        eventually(lambda: patient.ask("GET", "/api/invoices").status_code == 200)
        assert eventually(lambda: invoice_of(patient, appointment["id"]))["status"] == "draft"
        mine = [one for one in patient.get("/api/invoices")["items"] if one["appointmentId"] == appointment["id"]]
    assert len(mine) == 1


@pytest.mark.promise("PL20")
@pytest.mark.promise("PL18")
def test_visits_are_booked_while_kafka_is_away_and_everything_catches_up_when_it_is_back(
    practice: Practice, patient: Person, therapist: Person
) -> None:
    kafka = practice.stack.kafka
    with away(kafka) as bring_back:
        newcomer = practice.patient()
        booked = [book(patient, therapist), book(newcomer, therapist)]
        assert everything_answers(patient)
        bring_back()
        invoices = [
            eventually(lambda: invoice_of(patient, booked[0]["id"])),
            eventually(lambda: invoice_of(newcomer, booked[1]["id"])),
        ]
    assert [each["status"] for each in invoices] == ["draft", "draft"]
    assert len(eventually(lambda: about(read(kafka.bootstrap), "user.registered.v1", newcomer.id))) == 1
    for appointment in booked:
        assert len(about(read(kafka.bootstrap), "appointment.booked.v1", appointment["id"])) == 1


@pytest.mark.promise("PL20")
def test_people_sign_in_and_book_while_valkey_is_away(practice: Practice, patient: Person, therapist: Person) -> None:
    with away(practice.stack.valkey):
        assert patient.forget().sign_in().status_code == 200
        newcomer = practice.patient()
        assert newcomer.refresh().status_code == 200
        assert book(newcomer, therapist)["status"] == "booked"
        assert everything_answers(newcomer)
    assert patient.forget().sign_in().status_code == 200


@pytest.mark.promise("PL20")
@pytest.mark.promise("GW2")
@pytest.mark.parametrize("down", READS)
def test_with_one_service_down_its_routes_alone_are_503(practice: Practice, patient: Person, down: str) -> None:
    with away(practice.stack.services[down]):
        for service, path in READS.items():
            answer = patient.ask("GET", path)
            if service == down:
                assert slug(answer) == (503, "service-unavailable")
                assert answer.headers["x-content-type-options"] == "nosniff"
            else:
                assert answer.status_code == 200, path
        assert httpx.get(f"{patient.url}/health/live", timeout=30).status_code == 200
        assert eventually(lambda: httpx.get(f"{patient.url}/health", timeout=30).status_code == 503)
    eventually(lambda: everything_answers(patient))
    eventually(lambda: httpx.get(f"{patient.url}/health", timeout=30).status_code == 200)


@pytest.mark.promise("PL20")
def test_with_the_database_away_answers_are_503_and_nothing_needs_a_hand_when_it_is_back(
    practice: Practice, patient: Person, therapist: Person
) -> None:
    with away(practice.stack.postgres):
        assert {slug(patient.ask("GET", path)) for path in READS.values()} == {(503, "service-unavailable")}
    eventually(lambda: everything_answers(patient))
    appointment = book(patient, therapist)
    assert eventually(lambda: invoice_of(patient, appointment["id"]))["status"] == "draft"
