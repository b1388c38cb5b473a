"""The whole way: a therapist is verified and opens a practice, a patient finds and books them, the visit is held."""

from __future__ import annotations

from typing import Any

import pytest

from appointments.use_cases import accounts
from bloom_events.auth import TherapistVerified
from bloom_events.ids import UserId


@pytest.mark.promise("PL6")
async def test_a_therapist_is_verified_accepts_patients_plans_the_week_and_holds_a_visit(clinic: Any) -> None:
    robin = clinic.person("THERAPIST")
    verified = TherapistVerified(user_id=UserId(robin.id), display_name="Dr. Robin Vale")
    await accounts.welcome_therapist(clinic.uow(), clinic.told(verified))
    assert (await robin.change("PATCH", "/api/therapists/me", {"acceptsNewPatients": True})).status_code == 200
    tuesday = {"hours": [{"weekday": 2, "opens": "09:00", "closes": "12:00"}]}
    assert (await robin.change("PUT", "/api/therapists/me/availability", tuesday)).status_code == 200
    visit = await clinic.book(clinic.patient(), robin)
    [listed] = (await robin.get("/api/appointments", status="booked")).json()["items"]
    assert listed["id"] == visit["id"]
    assert (await robin.post(f"/api/appointments/{visit['id']}/confirm")).json()["status"] == "confirmed"
    clinic.move_to_start(visit, minutes=50)
    assert (await robin.post(f"/api/appointments/{visit['id']}/complete")).json()["status"] == "completed"


@pytest.mark.promise("PL5")
async def test_a_patient_finds_a_therapist_with_a_free_slot_books_it_moves_it_and_attends(clinic: Any) -> None:
    robin, sam = await clinic.therapist(), clinic.patient()
    start = clinic.clock.moment
    week = {"from": start.isoformat(), "to": start.replace(day=start.day + 3).isoformat()}
    [available] = (await sam.get("/api/therapists/available", **week)).json()["items"]
    slots = (await sam.get(f"/api/therapists/{available['therapist']['id']}/slots", **week)).json()["items"]
    assert slots[0] == available["firstSlot"]
    body = {"therapistId": available["therapist"]["id"], "visitType": "initial", **slots[0]}
    booked = (await sam.post("/api/appointments", body)).json()["appointment"]
    moved = await sam.post(f"/api/appointments/{booked['id']}/reschedule", slots[2], If_Match='"1"')
    assert (moved.status_code, moved.json()["startAt"]) == (200, slots[2]["startAt"])
    left = (await sam.get(f"/api/therapists/{robin.id}/slots", **week)).json()["items"]
    assert slots[0] in left
    assert slots[2] not in left
    clinic.move_to_start(moved.json(), minutes=50)
    await robin.post(f"/api/appointments/{booked['id']}/complete")
    kinds = [kind for kind, _ in await clinic.published() if kind.startswith("appointment.")]
    assert kinds == ["appointment.booked.v1", "appointment.rescheduled.v1", "appointment.completed.v1"]
