"""The directory of therapists and a therapist's own entry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

PROFILE = {
    "displayName": "Dr. Robin Vale",
    "acceptsNewPatients": True,
    "timeZone": "Europe/Berlin",
    "slotMinutes": 45,
    "bufferBeforeMinutes": 5,
    "bufferAfterMinutes": 10,
    "languages": ["de", "en"],
    "specialties": ["anxiety", "sleep"],
}


def slug_of(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


def names(answer: Any) -> list[str]:
    return [each["displayName"] for each in answer.json()["items"]]


def week_of(clinic: Any, days: float = 3) -> dict[str, str]:
    start = clinic.clock.moment
    return {"from": start.isoformat(), "to": (start + timedelta(days=days)).isoformat()}


async def test_the_directory_lists_therapists_by_name_page_by_page(clinic: Any) -> None:
    for name in ("Dr. C", "Dr. A", "Dr. D", "Dr. B", "Dr. A"):
        await clinic.therapist(name, open_on=None)
    patient, cursor, seen = clinic.patient(), None, []
    while True:
        page = await patient.get("/api/therapists", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += names(page)
        cursor = page.json()["nextCursor"]
        if cursor is None:
            break
    assert seen == ["Dr. A", "Dr. A", "Dr. B", "Dr. C", "Dr. D"]


@pytest.mark.promise("US4")
async def test_the_directory_narrows_by_new_patients_language_and_specialty(clinic: Any) -> None:
    await clinic.therapist("Dr. A", open_on=None, languages=["de"], specialties=["sleep"])
    await clinic.therapist("Dr. B", open_on=None, acceptsNewPatients=False, languages=["de", "en"])
    patient = clinic.patient()
    assert names(await patient.get("/api/therapists", acceptsNewPatients=True)) == ["Dr. A"]
    assert names(await patient.get("/api/therapists", acceptsNewPatients=False)) == ["Dr. B"]
    assert names(await patient.get("/api/therapists", language="de")) == ["Dr. A", "Dr. B"]
    assert names(await patient.get("/api/therapists", language="en", specialty="sleep")) == []


async def test_a_suspended_therapist_is_not_found_anywhere(clinic: Any) -> None:
    therapist, patient = await clinic.therapist(), clinic.patient()
    await clinic.suspend(therapist)
    assert names(await patient.get("/api/therapists")) == []
    assert (await patient.get("/api/therapists/available", **week_of(clinic))).json()["items"] == []
    assert (await patient.get(f"/api/therapists/{therapist.id}")).status_code == 404
    assert (await patient.get(f"/api/therapists/{therapist.id}/slots", **week_of(clinic))).status_code == 404
    body = {"therapistId": str(therapist.id), "visitType": "standard", **clinic.times()}
    assert (await patient.post("/api/appointments", body)).status_code == 404


@pytest.mark.promise("US5")
async def test_available_therapists_take_new_patients_and_have_a_free_slot_in_the_range(clinic: Any) -> None:
    free, closed = await clinic.therapist("Dr. Free"), await clinic.therapist("Dr. Closed", acceptsNewPatients=False)
    full = await clinic.therapist("Dr. Full", open_on=[{"weekday": 2, "opens": "10:00", "closes": "10:50"}])
    await clinic.book(clinic.patient(), full)
    no_hours = await clinic.therapist("Dr. No Hours", open_on=None)
    found = (await clinic.patient().get("/api/therapists/available", **week_of(clinic))).json()["items"]
    assert [each["therapist"]["id"] for each in found] == [str(free.id)]
    assert found[0]["firstSlot"] == clinic.times(days=0)
    assert {closed.id, full.id, no_hours.id} & {each["therapist"]["id"] for each in found} == set()


@pytest.mark.promise("US5")
async def test_available_therapists_come_page_by_page(clinic: Any) -> None:
    for number in range(5):
        await clinic.therapist(
            f"Dr. {number}", open_on=None if number == 2 else [{"weekday": 2, "opens": "09:00", "closes": "12:00"}]
        )
    patient, cursor, seen = clinic.patient(), None, []
    for _ in range(5):
        page = await patient.get(
            "/api/therapists/available", limit=2, **week_of(clinic), **({"cursor": cursor} if cursor else {})
        )
        seen += [each["therapist"]["displayName"] for each in page.json()["items"]]
        cursor = page.json()["nextCursor"]
        if cursor is None:
            break
    assert (seen, cursor) == (["Dr. 0", "Dr. 1", "Dr. 3", "Dr. 4"], None)


@pytest.mark.promise("US5")
async def test_the_one_free_therapist_is_found_behind_many_who_are_not(clinic: Any) -> None:
    for number in range(60):
        await clinic.therapist(f"Dr. {number:02}", open_on=None)
    free = await clinic.therapist("Dr. Zoe")
    page = (await clinic.patient().get("/api/therapists/available", **week_of(clinic))).json()
    assert [each["therapist"]["id"] for each in page["items"]] == [str(free.id)]
    assert page["nextCursor"] is None


async def test_a_therapist_replaces_their_profile_and_everybody_sees_it(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    changed = await therapist.change("PUT", "/api/therapists/me", PROFILE)
    assert changed.status_code == 200
    shown = await clinic.patient().get(f"/api/therapists/{therapist.id}")
    assert shown.json() == {"id": str(therapist.id), **PROFILE}
    assert shown.headers["ETag"] == changed.headers["ETag"]
    _, event = (await clinic.published("therapist.profile-changed.v1"))[-1]
    assert event == {
        "therapist_id": str(therapist.id),
        "display_name": "Dr. Robin Vale",
        "accepts_new_patients": True,
        "time_zone": "Europe/Berlin",
    }


async def test_a_profile_that_does_not_change_publishes_nothing(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    before = await clinic.published()
    same = await therapist.change("PATCH", "/api/therapists/me", {"acceptsNewPatients": True})
    assert (same.status_code, await clinic.published()) == (200, before)


async def test_a_profile_changes_only_from_its_current_revision(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    unseen = await therapist.ask("PATCH", "/api/therapists/me", json={"slotMinutes": 30})
    assert (unseen.status_code, slug_of(unseen)) == (428, "precondition-required")
    stale = await therapist.ask("PUT", "/api/therapists/me", json=PROFILE, headers={"If-Match": '"1"'})
    assert (stale.status_code, slug_of(stale)) == (412, "precondition-failed")


@pytest.mark.parametrize(
    "body",
    [
        {"timeZone": "Mars/Olympus"},
        {"timeZone": None},
        {"slotMinutes": 0},
        {"slotMinutes": 7},
        {"slotMinutes": 100000},
        {"slotMinutes": "50"},
        {"bufferAfterMinutes": -5},
        {"displayName": ""},
        {"displayName": "a\x00b"},
        {"languages": ["english"]},
        {"languages": ["en", "en"]},
        {"specialties": ["x"] * 30},
        {"acceptsNewPatients": "yes"},
        {"revision": 9},
        {"id": str(uuid4())},
        [],
    ],
)
async def test_a_profile_that_makes_no_sense_is_refused(clinic: Any, body: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    answer = await therapist.change("PATCH", "/api/therapists/me", body)
    assert (answer.status_code, slug_of(answer)) == (422, "invalid-request")


@pytest.mark.parametrize("role", ["PATIENT", "ADMINISTRATOR"])
async def test_only_therapists_have_an_entry_of_their_own(clinic: Any, role: str) -> None:
    person = clinic.person(role)
    for method, path in (
        ("GET", "/me"),
        ("PUT", "/me"),
        ("PATCH", "/me"),
        ("GET", "/me/availability"),
        ("GET", "/me/exceptions"),
    ):
        answer = await person.ask(method, f"/api/therapists{path}", json=PROFILE, headers={"If-Match": '"1"'})
        assert (answer.status_code, slug_of(answer)) == (403, "forbidden")


async def test_a_therapist_who_is_not_verified_has_no_entry(clinic: Any) -> None:
    answer = await clinic.person("THERAPIST").get("/api/therapists/me")
    assert (answer.status_code, slug_of(answer)) == (404, "therapist-not-found")
