"""One's own profile and settings."""

import asyncio

import pytest

ME = "/api/users/me"


async def change(device, seen: str | None, **fields: str):
    return await device.send("PATCH", ME, json=fields, headers={"If-Match": seen} if seen else {})


@pytest.mark.promise("US1")
async def test_people_see_themselves(service):
    device = await service.patient()

    response = await device.get(ME)

    assert (response.status_code, response.json()) == (200, device.user)
    assert response.headers["etag"] == '"1"'
    assert "password" not in response.text


@pytest.mark.promise("US1")
async def test_people_change_their_profile_step_by_step_until_it_is_complete(service):
    device = await service.patient()

    named = await change(device, '"1"', displayName="  Robin Vale ")
    placed = await change(device, named.headers["etag"], locale="de-AT", timeZone="Europe/Vienna")

    assert (named.json()["displayName"], named.json()["profileComplete"]) == ("Robin Vale", False)
    assert (placed.json()["profileComplete"], placed.headers["etag"]) == (True, '"3"')
    assert (await device.get(ME)).json() == placed.json()


async def test_the_same_again_changes_nothing(service):
    device = await service.patient()
    await change(device, '"1"', locale="en")

    again = await change(device, '"2"', locale="en")
    empty = await change(device, '"2"')

    assert [answer.headers["etag"] for answer in (again, empty)] == ['"2"', '"2"']


@pytest.mark.parametrize(("seen", "status"), [(None, 428), ('"2"', 412), ("*", 412), ("1", 412), ('W/"1"', 412), ('"0"', 412)])
async def test_a_change_names_the_version_that_was_seen(service, seen, status):
    device = await service.patient()

    assert (await change(device, seen, locale="en")).status_code == status
    assert (await device.get(ME)).json()["locale"] is None


async def test_of_changes_at_once_from_the_same_version_one_is_taken(service):
    device = await service.patient()

    answers = await asyncio.gather(*(change(device, '"1"', displayName=f"Name {n}") for n in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5


@pytest.mark.parametrize(
    "fields",
    [
        {"displayName": None}, {"displayName": ""}, {"locale": "de_AT"}, {"locale": "EN"}, {"timeZone": "Europe/Atlantis"},
        {"timeZone": "europe/vienna"}, {"timeZone": "localtime"}, {"role": "ADMINISTRATOR"}, {"email": "kim@example.test"},
        {"profileComplete": True}, {"status": "active"}, {"displayName": "a\nb"}, {"displayName": "\ud800"},
    ],
    ids=ascii,
)  # fmt: skip
async def test_what_cannot_be_is_refused(service, fields):
    import json

    device = await service.patient()
    headers = {"If-Match": '"1"', "Content-Type": "application/json"}

    response = await device.send("PATCH", ME, content=json.dumps(fields).encode(), headers=headers)

    assert response.status_code in {400, 422}
    assert (await device.get(ME)).headers["etag"] == '"1"'


async def test_a_profile_is_for_those_who_are_signed_in(service):
    nobody = service.device()

    assert (await nobody.get(ME)).status_code == 401
    assert (await change(nobody, '"1"', locale="en")).status_code == 401
