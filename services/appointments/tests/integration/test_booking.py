"""Booking over HTTP: what is answered, saved and published, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest


def slug_of(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


@pytest.mark.promise("AP1")
@pytest.mark.promise("AP2")
async def test_a_patient_books_a_free_slot_and_gets_it_back(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    body = {"therapistId": str(therapist.id), "visitType": "initial", **clinic.times()}
    answer = await patient.post("/api/appointments", body)
    assert answer.status_code == 201
    assert answer.json()["zoomJoinUrl"] is None
    appointment = answer.json()["appointment"]
    assert appointment["status"] == "booked"
    assert appointment["patientId"] == str(patient.id)
    assert (appointment["startAt"], appointment["endAt"]) == (body["startAt"], body["endAt"])
    assert answer.headers["ETag"] == '"1"'
    read = await patient.get(answer.headers["Location"])
    assert read.json() == appointment


@pytest.mark.promise("AP8")
async def test_a_booking_is_published_with_its_whole_state(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    appointment = await clinic.book(patient, therapist)
    [(_, event)] = await clinic.published("appointment.booked.v1")
    assert event == {
        "appointment_id": appointment["id"],
        "revision": 1,
        "patient_id": str(patient.id),
        "therapist_id": str(therapist.id),
        "visit_type": "standard",
        "starts_at": appointment["startAt"],
        "ends_at": appointment["endAt"],
    }


@pytest.mark.promise("AP5")
async def test_patient_and_therapist_attend_the_appointment_and_both_see_it(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    appointment = await clinic.book(patient, therapist)
    assert appointment["attendees"] == [
        {"userId": str(patient.id), "role": "patient"},
        {"userId": str(therapist.id), "role": "therapist"},
    ]
    for attendee in (patient, therapist):
        listed = (await attendee.get("/api/appointments")).json()["items"]
        assert [each["id"] for each in listed] == [appointment["id"]]


@pytest.mark.promise("AP3")
@pytest.mark.parametrize("role", ["THERAPIST", "ADMINISTRATOR"])
async def test_only_patients_book(clinic: Any, role: str) -> None:
    therapist = await clinic.therapist()
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    answer = await clinic.person(role).post("/api/appointments", body)
    assert (answer.status_code, slug_of(answer)) == (403, "forbidden")
    assert await clinic.published("appointment.booked.v1") == []


@pytest.mark.promise("AP3")
async def test_a_patient_cannot_book_for_somebody_else(clinic: Any) -> None:
    therapist = await clinic.therapist()
    body = {"therapistId": str(therapist.id), "visitType": "standard", "patientId": str(uuid4()), **clinic.times()}
    answer = await clinic.patient().post("/api/appointments", body)
    assert (answer.status_code, slug_of(answer)) == (422, "invalid-request")


@pytest.mark.promise("AP4")
async def test_a_second_booking_of_the_same_slot_is_refused(clinic: Any) -> None:
    therapist = await clinic.therapist()
    await clinic.book(clinic.patient(), therapist)
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    answer = await clinic.patient().post("/api/appointments", body)
    assert (answer.status_code, slug_of(answer)) == (409, "slot-taken")
    assert len(await clinic.published("appointment.booked.v1")) == 1


@pytest.mark.promise("AP4")
async def test_a_patient_cannot_be_with_two_therapists_at_once(clinic: Any) -> None:
    patient, first, second = clinic.patient(), await clinic.therapist(), await clinic.therapist("Dr. Kim Moss")
    await clinic.book(patient, first)
    body = {"therapistId": str(second.id), "visitType": "standard", **clinic.times()}
    answer = await patient.post("/api/appointments", body)
    assert (answer.status_code, slug_of(answer)) == (409, "patient-already-booked")


async def test_a_buffer_of_a_booked_visit_blocks_slots_of_a_new_grid(clinic: Any) -> None:
    therapist = await clinic.therapist(bufferBeforeMinutes=30, bufferAfterMinutes=30)
    await clinic.book(clinic.patient(), therapist, hours=0)
    await therapist.change("PATCH", "/api/therapists/me", {"bufferBeforeMinutes": 0, "bufferAfterMinutes": 0})
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times(hours=50 / 60)}
    answer = await clinic.patient().post("/api/appointments", body)
    assert (answer.status_code, slug_of(answer)) == (409, "slot-taken")


@pytest.mark.parametrize(
    ("when", "status", "slug"),
    [
        ({"hours": 1.25}, 409, "not-a-slot"),
        ({"minutes": 30}, 409, "not-a-slot"),
        ({"minutes": -50}, 409, "not-a-slot"),
        ({"hours": 12}, 409, "not-a-slot"),
        ({"days": -1}, 409, "starts-in-the-past"),
        ({"days": 0, "hours": 0}, 409, "starts-in-the-past"),
        ({"days": 200}, 409, "beyond-booking-horizon"),
        ({"days": -365 * 40}, 422, "invalid-request"),
    ],
)
async def test_a_time_that_cannot_be_booked_is_refused(clinic: Any, when: Any, status: int, slug: str) -> None:
    therapist = await clinic.therapist()
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times(**when)}
    answer = await clinic.patient().post("/api/appointments", body)
    assert (answer.status_code, slug_of(answer)) == (status, slug)
    assert await clinic.published("appointment.booked.v1") == []


async def test_a_therapist_of_another_tenant_cannot_be_booked(clinic: Any, other_clinic: Any) -> None:
    therapist = await other_clinic.therapist()
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    foreign = await clinic.patient().post("/api/appointments", body)
    missing = await clinic.patient().post("/api/appointments", {**body, "therapistId": str(uuid4())})
    assert (foreign.status_code, slug_of(foreign)) == (missing.status_code, slug_of(missing)) == (404, "therapist-not-found")


@pytest.mark.promise("US4")
async def test_a_therapist_who_takes_no_new_patients_keeps_those_who_had_a_visit(clinic: Any) -> None:
    therapist, known, new = await clinic.therapist(), clinic.patient(), clinic.patient()
    held = await clinic.book(known, therapist)
    clinic.move_to_start(held)
    assert (await therapist.post(f"/api/appointments/{held['id']}/complete")).status_code == 200
    await therapist.change("PATCH", "/api/therapists/me", {"acceptsNewPatients": False})
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    refused = await new.post("/api/appointments", body)
    assert (refused.status_code, slug_of(refused)) == (409, "not-accepting-new-patients")
    assert (await known.post("/api/appointments", body)).status_code == 201


async def test_the_same_key_books_once_and_answers_the_same(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    first = await patient.post("/api/appointments", body, Idempotency_Key="k-1")
    again = await patient.post("/api/appointments", body, Idempotency_Key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["ETag"] == again.headers["ETag"]
    assert len(await clinic.published("appointment.booked.v1")) == 1
    other = await patient.post("/api/appointments", {**body, "visitType": "initial"}, Idempotency_Key="k-1")
    assert (other.status_code, slug_of(other)) == (422, "idempotency-key-reused")


async def test_a_refused_booking_leaves_its_key_free(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    taken = await clinic.book(clinic.patient(), therapist)
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    assert (await patient.post("/api/appointments", body, Idempotency_Key="k-2")).status_code == 409
    await therapist.post(f"/api/appointments/{taken['id']}/cancel")
    assert (await patient.post("/api/appointments", body, Idempotency_Key="k-2")).status_code == 201


async def test_every_visit_type_takes_one_slot(clinic: Any) -> None:
    patient, therapist = clinic.patient(), await clinic.therapist()
    for hours, visit_type in enumerate(("initial", "standard", "extended")):
        body = {"therapistId": str(therapist.id), "visitType": visit_type, **clinic.times(hours=hours)}
        assert (await patient.post("/api/appointments", body)).status_code == 201
    assert [event["visit_type"] for _, event in await clinic.published("appointment.booked.v1")] == [
        "initial",
        "standard",
        "extended",
    ]


@pytest.mark.promise("AP9")
async def test_times_are_kept_in_utc_whatever_offset_they_came_with(clinic: Any) -> None:
    patient = clinic.patient()
    therapist = await clinic.therapist(timeZone="Asia/Kolkata")
    # Nine in the morning in Kolkata is half past three in UTC.
    start = (clinic.clock.moment + timedelta(days=1)).strftime("%Y-%m-%dT")
    body = {"startAt": f"{start}09:00:00+05:30", "endAt": f"{start}09:50:00+05:30"}
    answer = await patient.post("/api/appointments", {"therapistId": str(therapist.id), "visitType": "standard", **body})
    assert answer.json()["appointment"]["startAt"] == f"{start}03:30:00Z"
