"""The chain is set by administrators in the revision that they saw, within its limits, with people who can be called."""

import asyncio
from copy import deepcopy
from typing import Any
from uuid import uuid4

import httpx
import pytest

Client = httpx.AsyncClient
SECONDS = {"moderate": 900, "high": 60, "critical": 30}


def chain_of(ward: Any) -> dict[str, Any]:
    return {
        "supervisors": [str(ward.supervisor)],
        "onCall": [str(ward.on_call)],
        "deadlines": {"therapist": dict(SECONDS), "supervisor": dict(SECONDS), "onCall": dict(SECONDS)},
    }


@pytest.fixture
def administrator(ward: Any, headers: Any) -> dict[str, str]:
    given: dict[str, str] = headers(ward.administrator, "ADMINISTRATOR")
    return given


async def put(client: Client, body: Any, administrator: dict[str, str], seen: int = 1) -> httpx.Response:
    return await client.put("/api/alerts/chain", json=body, headers={**administrator, "If-Match": f'"{seen}"'})


async def test_before_anybody_set_one_the_platforms_own_chain_is_shown(client: Client, administrator: dict[str, str]) -> None:
    answer = await client.get("/api/alerts/chain", headers=administrator)

    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert answer.json()["revision"] == 0
    assert answer.json()["deadlines"]["onCall"] == {"moderate": 900, "high": 300, "critical": 120}


async def test_a_chain_that_was_set_is_shown_and_holds_for_the_next_call(
    client: Client, ward: Any, administrator: dict[str, str]
) -> None:
    await ward.hear(ward.message().scored())

    answer = await put(client, chain_of(ward), administrator)

    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert answer.json() == {**chain_of(ward), "revision": 1}
    assert (await client.get("/api/alerts/chain", headers=administrator)).json() == answer.json()
    await ward.pass_deadline()
    assert (await ward.alert())["called"] == [ward.supervisor]


async def test_who_has_not_seen_the_current_chain_does_not_overwrite_it(
    client: Client, ward: Any, administrator: dict[str, str]
) -> None:
    await put(client, chain_of(ward), administrator)

    stale = await put(client, chain_of(ward), administrator)
    blind = await client.put("/api/alerts/chain", json=chain_of(ward), headers=administrator)

    assert (stale.status_code, blind.status_code) == (412, 428)
    assert [row["revision"] for row in await ward.rows("select revision from alert_chains")] == [1]


async def test_two_who_set_it_at_once_leave_one_chain(client: Client, ward: Any, administrator: dict[str, str]) -> None:
    answers = await asyncio.gather(*(put(client, chain_of(ward), administrator) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]


@pytest.mark.parametrize("step", ["supervisors", "onCall"])
async def test_a_chain_names_only_people_who_can_be_called(
    client: Client, ward: Any, administrator: dict[str, str], step: str
) -> None:
    suspended = ward.on_call
    await ward.suspend(suspended)
    for user_id in (uuid4(), ward.patient_id, suspended):
        answer = await put(client, {**chain_of(ward), "onCall": [], step: [str(user_id)]}, administrator)

        assert (answer.status_code, answer.json()["type"]) == (409, "urn:bloom:problem:person-cannot-be-called")


def broken(ward: Any) -> dict[str, dict[str, Any]]:
    """Chains with one thing wrong, by what it is."""

    def but(*path: str, value: Any) -> dict[str, Any]:
        chain = deepcopy(chain_of(ward))
        place: dict[str, Any] = chain
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        return chain

    return {
        "too short a deadline": but("deadlines", "therapist", "critical", value=4),
        "too long a deadline": but("deadlines", "onCall", "moderate", value=86_401),
        "a deadline in words": but("deadlines", "onCall", "moderate", value="900"),
        "a step without deadlines": but("deadlines", value={"therapist": SECONDS, "supervisor": SECONDS}),
        "somebody twice": but("supervisors", value=[str(ward.supervisor)] * 2),
        "too many people": but("onCall", value=[str(uuid4()) for _ in range(21)]),
        "a field nobody knows": but("director", value=[]),
    }


@pytest.mark.parametrize(
    "what",
    [
        "too short a deadline",
        "too long a deadline",
        "a deadline in words",
        "a step without deadlines",
        "somebody twice",
        "too many people",
        "a field nobody knows",
    ],
)
async def test_a_chain_outside_its_limits_is_refused(client: Client, ward: Any, administrator: dict[str, str], what: str) -> None:
    assert (await put(client, broken(ward)[what], administrator)).status_code == 422
    assert await ward.rows("select * from alert_chains") == []


async def test_a_therapist_neither_sees_nor_sets_the_chain(client: Client, ward: Any, headers: Any) -> None:
    therapist = headers(ward.therapist)

    assert (await client.get("/api/alerts/chain", headers=therapist)).status_code == 403
    assert (await put(client, chain_of(ward), therapist)).status_code == 403


async def test_the_chain_of_one_tenant_is_not_that_of_another(
    client: Client, ward: Any, other_ward: Any, administrator: dict[str, str]
) -> None:
    await put(client, chain_of(ward), administrator)

    assert await other_ward.rows("select * from alert_chains") == []
    foreign = await put(client, {**chain_of(ward), "supervisors": [str(other_ward.supervisor)]}, administrator, seen=2)
    assert foreign.status_code == 409
