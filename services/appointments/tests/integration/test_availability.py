"""Weekly hours, exceptions and the slots that follow from them, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

HOURS = "/api/therapists/me/availability"
EXCEPTIONS = "/api/therapists/me/exceptions"
MORNING = [{"weekday": 2, "opens": "09:00", "closes": "11:00"}]


def slug_of(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


async def slots(clinic: Any, therapist: Any, start: str, end: str) -> list[str]:
    answer = await clinic.patient().get(f"/api/therapists/{therapist.id}/slots", **{"from": start, "to": end})
    assert answer.status_code == 200, answer.text
    return [each["startAt"] for each in answer.json()["items"]]


async def test_weekly_hours_are_read_back_in_order_with_their_zone(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None, timeZone="Asia/Kolkata")
    hours = [
        {"weekday": 3, "opens": "13:00", "closes": "24:00"},
        {"weekday": 1, "opens": "13:00", "closes": "17:30"},
        {"weekday": 1, "opens": "09:00", "closes": "13:00"},
    ]
    changed = await therapist.change("PUT", HOURS, {"hours": hours})
    assert changed.json() == {"timeZone": "Asia/Kolkata", "hours": [hours[2], hours[1], hours[0]]}
    assert (await therapist.get(HOURS)).json() == changed.json()
    emptied = await therapist.change("PUT", HOURS, {"hours": []})
    assert emptied.json()["hours"] == []


@pytest.mark.parametrize(
    ("hours", "slug"),
    [
        (
            [{"weekday": 1, "opens": "09:00", "closes": "12:00"}, {"weekday": 1, "opens": "11:59", "closes": "13:00"}],
            "overlapping-hours",
        ),
        ([{"weekday": 1, "opens": "09:00", "closes": "12:00"}] * 2, "overlapping-hours"),
        ([{"weekday": 9, "opens": "09:00", "closes": "12:00"}], "invalid-request"),
        ([{"weekday": 1, "opens": "9", "closes": "12:00"}], "invalid-request"),
        ([MORNING[0]] * 71, "invalid-request"),
        ("always", "invalid-request"),
    ],
)
async def test_hours_that_make_no_sense_are_refused(clinic: Any, hours: Any, slug: str) -> None:
    therapist = await clinic.therapist(open_on=MORNING)
    answer = await therapist.change("PUT", HOURS, {"hours": hours})
    assert (answer.status_code, slug_of(answer)) == (422, slug)
    assert (await therapist.get(HOURS)).json()["hours"] == MORNING


async def test_hours_change_only_from_the_current_revision(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    assert (await therapist.ask("PUT", HOURS, json={"hours": []})).status_code == 428
    assert (await therapist.ask("PUT", HOURS, json={"hours": []}, headers={"If-Match": '"99"'})).status_code == 412


async def test_slots_leave_out_what_is_booked_and_come_back_when_it_is_cancelled(clinic: Any) -> None:
    therapist, patient = await clinic.therapist(open_on=MORNING), clinic.patient()
    day = ("2030-01-08T00:00:00Z", "2030-01-09T00:00:00Z")
    assert await slots(clinic, therapist, *day) == ["2030-01-08T09:00:00Z", "2030-01-08T10:00:00Z"]
    visit = await clinic.book(patient, therapist, hours=0)
    assert await slots(clinic, therapist, *day) == ["2030-01-08T10:00:00Z"]
    await patient.post(f"/api/appointments/{visit['id']}/cancel")
    assert len(await slots(clinic, therapist, *day)) == 2


async def test_slots_of_today_begin_after_now(clinic: Any) -> None:
    therapist = await clinic.therapist()
    clinic.clock.moment = datetime(2030, 1, 7, 14, 30, tzinfo=UTC)
    found = await slots(clinic, therapist, "2030-01-07T00:00:00Z", "2030-01-08T00:00:00Z")
    assert found == ["2030-01-07T15:00:00Z", "2030-01-07T16:00:00Z"]


# 09:00 on the wall, on the Sunday before and the Sunday of a change of clocks.
@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Europe/Berlin", "2030-03-24T08:00:00Z", "2030-03-31T07:00:00Z"),
        ("Europe/Berlin", "2030-10-20T07:00:00Z", "2030-10-27T08:00:00Z"),
        ("America/New_York", "2030-03-03T14:00:00Z", "2030-03-10T13:00:00Z"),
        ("Asia/Kolkata", "2030-03-24T03:30:00Z", "2030-03-31T03:30:00Z"),
        ("Australia/Lord_Howe", "2030-03-30T22:00:00Z", "2030-04-06T22:30:00Z"),
        ("America/Sao_Paulo", "2030-03-24T12:00:00Z", "2030-03-31T12:00:00Z"),
    ],
)
async def test_slots_keep_their_local_time_when_clocks_change(clinic: Any, zone: str, before: str, after: str) -> None:
    therapist = await clinic.therapist(open_on=[{"weekday": 7, "opens": "09:00", "closes": "10:00"}], timeZone=zone)
    clinic.clock.moment = datetime.fromisoformat(before) - timedelta(days=2)
    start = datetime.fromisoformat(before) - timedelta(hours=1)
    found = await slots(clinic, therapist, start.isoformat(), (start + timedelta(days=8)).isoformat())
    assert found == [before, after]
    for offered in found:
        end = (datetime.fromisoformat(offered) + timedelta(minutes=50)).isoformat()
        body = {"therapistId": str(therapist.id), "visitType": "standard", "startAt": offered, "endAt": end}
        assert (await clinic.patient().post("/api/appointments", body)).status_code == 201


async def test_holidays_close_days_and_removing_them_opens_these_again(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=MORNING)
    range_ = ("2030-01-08T00:00:00Z", "2030-01-16T00:00:00Z")
    closed = {"kind": "closed", "firstOn": "2030-01-08", "lastOn": "2030-01-10"}
    added = await therapist.post(EXCEPTIONS, closed)
    assert (added.status_code, added.json()) == (201, {"id": added.json()["id"], **closed, "opens": None, "closes": None})
    assert await slots(clinic, therapist, *range_) == ["2030-01-15T09:00:00Z", "2030-01-15T10:00:00Z"]
    assert (await therapist.ask("DELETE", f"{EXCEPTIONS}/{added.json()['id']}")).status_code == 204
    assert len(await slots(clinic, therapist, *range_)) == 4


async def test_extra_hours_open_a_free_day(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=MORNING)
    extra = {"kind": "open", "firstOn": "2030-01-09", "lastOn": "2030-01-09", "opens": "18:00", "closes": "19:00"}
    assert (await therapist.post(EXCEPTIONS, extra)).status_code == 201
    assert await slots(clinic, therapist, "2030-01-09T00:00:00Z", "2030-01-10T00:00:00Z") == ["2030-01-09T18:00:00Z"]


async def test_exceptions_are_listed_by_day_page_by_page_and_only_ones_own(clinic: Any) -> None:
    therapist, other = await clinic.therapist(open_on=None), await clinic.therapist("Dr. Kim Moss", open_on=None)
    for day in ("2030-03-01", "2030-01-01", "2030-02-01"):
        await therapist.post(EXCEPTIONS, {"kind": "closed", "firstOn": day, "lastOn": day})
    first = await therapist.get(EXCEPTIONS, limit=2)
    second = await therapist.get(EXCEPTIONS, limit=2, cursor=first.json()["nextCursor"])
    listed = [each["firstOn"] for each in first.json()["items"] + second.json()["items"]]
    assert (listed, second.json()["nextCursor"]) == (["2030-01-01", "2030-02-01", "2030-03-01"], None)
    assert (await other.get(EXCEPTIONS)).json()["items"] == []


async def test_somebody_elses_exception_is_as_missing_as_one_that_never_was(clinic: Any, other_clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    added = await therapist.post(EXCEPTIONS, {"kind": "closed", "firstOn": "2030-01-08", "lastOn": "2030-01-08"})
    for stranger in (await clinic.therapist("Dr. Kim Moss", open_on=None), await other_clinic.therapist(open_on=None)):
        for exception_id in (added.json()["id"], uuid4()):
            answer = await stranger.ask("DELETE", f"{EXCEPTIONS}/{exception_id}")
            assert (answer.status_code, slug_of(answer)) == (404, "availability-exception-not-found")
    assert len((await therapist.get(EXCEPTIONS)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({"kind": "closed", "firstOn": "2030-01-09", "lastOn": "2030-01-08"}, "invalid-range"),
        ({"kind": "closed", "firstOn": "2030-01-01", "lastOn": "2032-01-01"}, "invalid-range"),
        ({"kind": "closed", "firstOn": "0001-01-01", "lastOn": "9999-12-31"}, "invalid-request"),
        ({"kind": "open", "firstOn": "2030-01-08", "lastOn": "2030-01-08"}, "invalid-request"),
        ({"kind": "closed", "firstOn": "2030-02-30", "lastOn": "2030-02-30"}, "invalid-request"),
    ],
)
async def test_exceptions_that_make_no_sense_are_refused(clinic: Any, body: Any, slug: str) -> None:
    therapist = await clinic.therapist(open_on=None)
    answer = await therapist.post(EXCEPTIONS, body)
    assert (answer.status_code, slug_of(answer)) == (422, slug)


async def test_the_same_key_adds_an_exception_once(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    body = {"kind": "closed", "firstOn": "2030-01-08", "lastOn": "2030-01-08"}
    answers = [await therapist.post(EXCEPTIONS, body, Idempotency_Key="holiday") for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len((await therapist.get(EXCEPTIONS)).json()["items"]) == 1


async def test_there_is_a_limit_to_the_number_of_exceptions(clinic: Any) -> None:
    therapist = await clinic.therapist(open_on=None)
    body = {"kind": "closed", "firstOn": "2030-01-08", "lastOn": "2030-01-08"}
    answers = [await therapist.post(EXCEPTIONS, body) for _ in range(201)]
    assert {answer.status_code for answer in answers[:200]} == {201}
    assert (answers[200].status_code, slug_of(answers[200])) == (409, "too-many-exceptions")


@pytest.mark.parametrize(
    ("start", "end", "slug"),
    [
        ("2030-01-08T00:00:00Z", "2030-02-09T00:00:00Z", "invalid-range"),
        ("2030-01-08T00:00:00Z", "2030-01-08T00:00:00Z", "invalid-range"),
        ("2030-01-09T00:00:00Z", "2030-01-08T00:00:00Z", "invalid-range"),
        ("0001-01-01T00:00:00+14:00", "0001-01-02T00:00:00Z", "invalid-request"),
        ("9999-12-31T00:00:00Z", "9999-12-31T23:59:59-14:00", "invalid-request"),
        ("2030-01-08T00:00:00", "2030-01-09T00:00:00", "invalid-request"),
        ("today", "tomorrow", "invalid-request"),
    ],
)
async def test_a_range_of_slots_that_makes_no_sense_is_refused(clinic: Any, start: str, end: str, slug: str) -> None:
    therapist = await clinic.therapist()
    answer = await clinic.patient().get(f"/api/therapists/{therapist.id}/slots", **{"from": start, "to": end})
    assert (answer.status_code, slug_of(answer)) == (422, slug)


async def test_booked_visits_stay_when_hours_slots_and_buffers_change(clinic: Any) -> None:
    therapist, patient = await clinic.therapist(), clinic.patient()
    visit = await clinic.book(patient, therapist)
    await therapist.change("PUT", HOURS, {"hours": []})
    await therapist.change("PATCH", "/api/therapists/me", {"slotMinutes": 30, "timeZone": "Asia/Kolkata"})
    assert (await patient.get(f"/api/appointments/{visit['id']}")).json() == visit
