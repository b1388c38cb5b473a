"""A patient's way in: sign up, complete the profile, find a therapist, book."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.people import Practice, Visit, booking_of, free_slots, slug


@pytest.mark.promise("PL5")
@pytest.mark.promise("AU5")
@pytest.mark.promise("AU3")
@pytest.mark.promise("US1")
@pytest.mark.promise("GW2")
def test_a_patient_signs_up_completes_the_profile_and_books_a_visit_that_the_therapist_confirms(visit: Visit) -> None:
    me = visit.patient.get("/api/users/me")
    assert (me["role"], me["status"], me["profileComplete"]) == ("PATIENT", "active", True)
    assert visit.patient.cookies.keys() == {"bloom_refresh", "bloom_csrf"}

    seen = visit.patient.get(f"/api/appointments/{visit.appointment_id}")
    assert (seen["status"], seen["patientId"], seen["therapistId"]) == ("booked", visit.patient.id, visit.therapist.id)

    confirmed = visit.therapist.post(f"/api/appointments/{visit.appointment_id}/confirm")
    assert confirmed["status"] == "confirmed"
    assert visit.patient.get(f"/api/appointments/{visit.appointment_id}")["confirmedAt"] is not None


@pytest.mark.promise("AP2")
@pytest.mark.promise("US5")
def test_a_patient_finds_a_therapist_with_a_free_slot_and_the_slot_is_free_no_more(practice: Practice) -> None:
    patient, therapist = practice.patient(), practice.therapist("Dr. Ada Free")
    starts = datetime.now(UTC) + timedelta(days=2)
    span = f"from={starts:%Y-%m-%dT%H:%M:%SZ}&to={starts + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    available = patient.get(f"/api/therapists/available?{span}")["items"]
    (found,) = [each for each in available if each["therapist"]["id"] == therapist.id]
    slot = found["firstSlot"]

    booked = patient.ask("POST", "/api/appointments", booking_of(therapist, slot))
    assert (booked.status_code, booked.json()["zoomJoinUrl"]) == (201, None)
    assert booked.json()["appointment"]["startAt"] == slot["startAt"]
    assert slot not in free_slots(patient, therapist, starts=starts)

    rival = practice.patient()
    assert slug(rival.ask("POST", "/api/appointments", booking_of(therapist, slot))) == (409, "slot-taken")


def test_a_booking_sent_twice_with_its_key_is_one_booking(practice: Practice) -> None:
    patient, therapist = practice.patient(), practice.therapist()
    slots = free_slots(patient, therapist, starts=datetime.now(UTC) + timedelta(days=3))
    first, again = (
        patient.ask("POST", "/api/appointments", booking_of(therapist, slots[0]), Idempotency_Key="visit-1") for _ in range(2)
    )
    other = patient.ask("POST", "/api/appointments", booking_of(therapist, slots[1]), Idempotency_Key="visit-1")

    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 201, "true")
    assert first.json() == again.json()
    assert slug(other) == (422, "idempotency-key-reused")
    assert len(patient.get("/api/appointments")["items"]) == 1
