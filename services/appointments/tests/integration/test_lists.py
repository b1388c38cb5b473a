"""Lists of appointments: whose they are, what narrows them, and how their pages follow each other."""

from __future__ import annotations

from typing import Any

import pytest


async def everything(person: Any, **params: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = await person.get("/api/appointments", limit=2, **params, **({"cursor": cursor} if cursor else {}))
        assert page.status_code == 200, page.text
        found += [each["id"] for each in page.json()["items"]]
        cursor = page.json()["nextCursor"]
        if cursor is None:
            return found


@pytest.fixture
async def scene(clinic: Any) -> Any:
    """Two patients and two therapists with five visits, of which one is cancelled."""
    clinic.sam, clinic.alex = clinic.patient(), clinic.patient()
    clinic.robin, clinic.kim = await clinic.therapist(), await clinic.therapist("Dr. Kim Moss")
    plan = [(clinic.sam, clinic.robin), (clinic.sam, clinic.kim), (clinic.alex, clinic.robin), (clinic.alex, clinic.kim)]
    clinic.visits = [(await clinic.book(who, whom, hours=hours))["id"] for hours, (who, whom) in enumerate(plan)]
    clinic.visits.append((await clinic.book(clinic.sam, clinic.robin, days=3))["id"])
    await clinic.sam.post(f"/api/appointments/{clinic.visits[1]}/cancel")
    return clinic


async def test_everybody_sees_their_own_visits_and_administrators_all(scene: Any) -> None:
    v = scene.visits
    assert await everything(scene.sam) == [v[0], v[1], v[4]]
    assert await everything(scene.alex) == [v[2], v[3]]
    assert await everything(scene.robin) == [v[0], v[2], v[4]]
    assert await everything(scene.kim) == [v[1], v[3]]
    assert await everything(scene.administrator()) == v
    assert await everything(scene.patient()) == []


async def test_another_tenant_sees_none_of_them_not_even_its_administrator(scene: Any, other_clinic: Any) -> None:
    assert await everything(other_clinic.administrator()) == []
    assert await everything(other_clinic.person("PATIENT", scene.sam.id)) == []


async def test_lists_narrow_by_status_time_and_people(scene: Any) -> None:
    v, admin = scene.visits, scene.administrator()
    assert await everything(admin, status="cancelled") == [v[1]]
    assert await everything(admin, status=["cancelled", "confirmed"]) == [v[1]]
    assert await everything(admin, therapistId=str(scene.kim.id)) == [v[1], v[3]]
    assert await everything(admin, patientId=str(scene.alex.id), status="booked") == [v[2], v[3]]
    start = scene.times(hours=2)["startAt"]
    assert await everything(admin, **{"from": start}) == v[2:]
    assert await everything(admin, to=start) == v[:2]
    assert await everything(scene.sam, therapistId=str(scene.robin.id), **{"from": start}) == [v[4]]


async def test_filters_never_show_what_is_not_ones_own(scene: Any) -> None:
    assert await everything(scene.sam, patientId=str(scene.alex.id)) == []
    assert await everything(scene.robin, therapistId=str(scene.kim.id)) == []


# Among them, well encoded: an empty list, two words, the year 1, a list within the list.
CURSORS = ["x", "W10", "WyJ4IiwieSJd", "%00", "\x7f", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwWiIsIjAiXQ", "W1siYSJdLCJiIl0"]
NONSENSE = [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"status": "lost"}, {"from": "now"}, {"therapistId": "1"}]


@pytest.mark.parametrize("cursor", CURSORS)
@pytest.mark.parametrize("path", ["/api/appointments", "/api/therapists", "/api/therapists/me/exceptions"])
async def test_a_cursor_that_was_never_handed_out_is_refused(clinic: Any, cursor: str, path: str) -> None:
    answer = await (await clinic.therapist(open_on=None)).get(path, cursor=cursor)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:bloom:problem:invalid-cursor")


@pytest.mark.parametrize("params", NONSENSE)
async def test_parameters_that_make_no_sense_are_refused(clinic: Any, params: Any) -> None:
    answer = await clinic.patient().get("/api/appointments", **params)
    assert answer.status_code == 422
