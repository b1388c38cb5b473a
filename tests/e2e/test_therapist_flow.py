"""A therapist's way in: register, wait for verification, take patients, plan the week, act on the own visits."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.people import ALWAYS, Practice, book, booking_of, eventually, free_slots, in_directory, slug


@pytest.mark.promise("PL6")
@pytest.mark.promise("US4")
@pytest.mark.promise("AU5")
def test_a_therapist_registers_is_verified_takes_patients_and_plans_the_week(practice: Practice) -> None:
    patient, therapist = practice.patient(), practice.newcomer()
    assert therapist.register("THERAPIST", displayName="Dr. New Here")["status"] == "pending_verification"
    therapist.sign_in()
    assert patient.ask("GET", f"/api/therapists/{therapist.id}").status_code == 404

    assert practice.administrator.post(f"/api/users/{therapist.id}/verify")["status"] == "active"
    therapist.sign_in()
    assert in_directory(therapist)["acceptsNewPatients"] is False
    listed = patient.get("/api/therapists?limit=100")["items"]
    assert [each["displayName"] for each in listed if each["id"] == therapist.id] == ["Dr. New Here"]
    therapist.change("PUT", "/api/therapists/me/availability", {"hours": ALWAYS})
    (slot, *_) = free_slots(patient, therapist, starts=datetime.now(UTC) + timedelta(days=1), hours=4)
    refused = patient.ask("POST", "/api/appointments", booking_of(therapist, slot))
    assert slug(refused) == (409, "not-accepting-new-patients")

    therapist.change("PATCH", "/api/therapists/me", {"acceptsNewPatients": True})
    assert patient.ask("POST", "/api/appointments", booking_of(therapist, slot)).status_code == 201


@pytest.mark.promise("PL6")
def test_a_therapist_acts_on_the_own_appointments_only(practice: Practice) -> None:
    patient, therapist, colleague = practice.patient(), practice.therapist(), practice.therapist("Dr. Colleague")
    path = f"/api/appointments/{book(patient, therapist)['id']}"

    foreign = [colleague.ask("POST", f"{path}/{step}") for step in ("confirm", "cancel", "complete", "no-show")]
    missing = colleague.ask("POST", "/api/appointments/018f6f3e-0000-7000-8000-000000000000/confirm")
    assert {slug(each) for each in [*foreign, colleague.ask("GET", path)]} == {slug(missing)} == {(404, "appointment-not-found")}
    assert colleague.get("/api/appointments")["items"] == []

    assert therapist.post(f"{path}/confirm")["status"] == "confirmed"
    assert slug(therapist.ask("POST", f"{path}/complete")) == (409, "visit-not-started")
    assert slug(patient.ask("POST", f"{path}/confirm"))[0] == 403
    assert therapist.post(f"{path}/cancel")["cancelledBy"] == "therapist"


def test_a_week_that_was_changed_by_somebody_else_meanwhile_is_not_overwritten(practice: Practice) -> None:
    therapist = practice.therapist()
    path = "/api/therapists/me/availability"
    seen = therapist.ask("GET", path).headers["etag"]
    monday = {"hours": [{"weekday": 1, "opens": "09:00", "closes": "12:00"}]}

    assert therapist.ask("PUT", path, monday, If_Match=seen).status_code == 200
    assert slug(therapist.ask("PUT", path, {"hours": []}, If_Match=seen)) == (412, "precondition-failed")
    assert slug(therapist.ask("PUT", path, {"hours": []})) == (428, "precondition-required")
    assert eventually(lambda: therapist.get(path)["hours"]) == monday["hours"]


@pytest.mark.promise("AU13")
@pytest.mark.parametrize("role", ["therapist", "administrator"])
def test_only_patients_book(practice: Practice, role: str) -> None:
    patient, therapist = practice.patient(), practice.therapist()
    person = practice.therapist("Dr. Booking") if role == "therapist" else practice.administrator
    (slot, *_) = free_slots(patient, therapist, starts=datetime.now(UTC) + timedelta(days=1))
    assert slug(person.ask("POST", "/api/appointments", booking_of(therapist, slot))) == (403, "forbidden")
    assert slot in free_slots(patient, therapist, starts=datetime.now(UTC) + timedelta(days=1))
