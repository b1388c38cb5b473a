"""What administrators see and do, and that nobody else does."""

import asyncio
from uuid import uuid4

import pytest


async def administered(service, *roles: str):
    """An administrator and users of these roles, a minute apart."""
    administrator = await service.administrator()
    users = []
    for role in roles:
        service.clock.advance(minutes=1)
        users.append(await service.registered(role))
    await administrator.refresh()
    return administrator, users


@pytest.mark.promise("US6", "PL7")
async def test_administrators_list_users_newest_first_page_by_page(service):
    administrator, users = await administered(service, *["PATIENT"] * 5)
    seen, cursor = [], ""
    for _ in range(3):
        page = (await administrator.get(f"/api/users?limit=2{cursor}")).json()
        seen += [user["id"] for user in page["items"]]
        cursor = f"&cursor={page['nextCursor']}"

    assert seen == [user["id"] for user in reversed(users)] + [administrator.user["id"]]
    assert page["nextCursor"] is None


@pytest.mark.promise("US6")
async def test_a_page_is_stable_while_users_are_added(service):
    administrator, users = await administered(service, *["PATIENT"] * 4)
    first = (await administrator.get("/api/users?limit=2")).json()
    service.clock.advance(minutes=1)
    await service.registered()

    second = (await administrator.get(f"/api/users?limit=2&cursor={first['nextCursor']}")).json()

    assert [user["id"] for user in second["items"]] == [users[1]["id"], users[0]["id"]]


@pytest.mark.promise("US6")
async def test_lists_are_filtered_by_role_status_and_time(service):
    administrator, (patient, therapist) = await administered(service, "PATIENT", "THERAPIST")

    async def ids(query: str) -> list[str]:
        return [user["id"] for user in (await administrator.get(f"/api/users?{query}")).json()["items"]]

    assert await ids("role=PATIENT") == [patient["id"]]
    assert await ids("status=pending_verification") == [therapist["id"]]
    assert await ids("role=PATIENT&status=suspended") == []
    assert await ids("createdFrom=2030-01-07T09:02:00Z") == [therapist["id"]]
    assert await ids("createdFrom=2030-01-07T10:02:00%2B01:00") == [therapist["id"]]
    assert await ids("createdFrom=2030-01-07T09:01:00Z&createdBefore=2030-01-07T09:02:00Z") == [patient["id"]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "cursor=x", "cursor=W10", "cursor=WzEsMl0", "role=patient", "status=gone",
        "createdFrom=yesterday", "createdFrom=2030-01-07T09:00:00", "createdFrom=0001-01-01T00:00:00%2B14:00",
        "cursor=WyIyMDMwLTAxLTA3VDA5OjAwOjAwWiIsIngiXQ", "cursor=%ff", "cursor=" + "A" * 600,
    ],
)  # fmt: skip
async def test_a_question_that_makes_no_sense_is_refused(service, query):
    administrator = await service.administrator()

    assert (await administrator.get(f"/api/users?{query}")).status_code == 422


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_absurd_dates_are_answered(service, moment):
    administrator = await service.administrator()

    assert (await administrator.get(f"/api/users?createdFrom={moment}")).status_code == 200


@pytest.mark.promise("US6", "PL7", "AU10")
async def test_counts_tell_users_by_role_new_ones_and_live_sessions(service):
    await service.registered()
    service.clock.advance(days=7, seconds=1)
    administrator = await service.administrator()
    await service.registered("THERAPIST")
    leaving, staying = await service.patient(), await service.patient()
    await leaving.sign_out()

    counts = (await administrator.get("/api/users/counts")).json()

    assert counts == {
        "total": 5,
        "byRole": {"PATIENT": 3, "THERAPIST": 1, "ADMINISTRATOR": 1},
        "createdLast7Days": 4,
        "activeSessions": 2,
    }
    service.clock.advance(days=6)
    await administrator.refresh()
    service.clock.advance(days=1, minutes=-5)
    assert (await staying.refresh()).status_code == 200
    service.clock.advance(minutes=5)
    await administrator.refresh()
    assert (await administrator.get("/api/users/counts")).json()["activeSessions"] == 2


@pytest.mark.promise("PL6", "US6")
async def test_a_verified_therapist_is_announced_once(service):
    administrator, [therapist] = await administered(service, "THERAPIST")
    path = f"/api/users/{therapist['id']}/verify"

    answers = await asyncio.gather(*(administrator.post(path) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    [verified] = [answer for answer in answers if answer.status_code == 200]
    assert (verified.json()["status"], verified.headers["etag"]) == ("active", '"2"')
    data = {"user_id": therapist["id"], "display_name": "Dr. Robin Vale"}
    assert await service.events("therapist.verified.v1") == [("therapist.verified.v1", data)]


@pytest.mark.promise("US6", "AU10")
async def test_suspending_ends_every_session_and_keeps_the_person_out(service):
    administrator, [patient] = await administered(service, "PATIENT")
    device = await service.signed_in(patient["email"])

    suspended = await administrator.post(f"/api/users/{patient['id']}/suspend")

    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended")
    assert (await device.get("/api/users/me")).status_code == 401
    assert (await device.refresh()).status_code == 401
    assert (await service.device().sign_in(patient["email"])).status_code == 401
    assert await service.events("user.suspended.v1") == [("user.suspended.v1", {"user_id": patient["id"], "role": "PATIENT"})]
    assert [data["reason"] for _, data in await service.events("session.revoked.v1")] == ["suspended"]


@pytest.mark.promise("US6")
async def test_a_reinstated_user_may_come_back(service):
    administrator, [patient] = await administered(service, "PATIENT")
    await administrator.post(f"/api/users/{patient['id']}/suspend")

    back = await administrator.post(f"/api/users/{patient['id']}/reinstate")

    assert (back.status_code, back.json()["status"]) == (200, "active")
    assert (await service.device().sign_in(patient["email"])).status_code == 200
    assert len(await service.events("user.reinstated.v1")) == 1


async def test_suspending_while_somebody_signs_in_leaves_no_live_session(service):
    administrator, [patient] = await administered(service, "PATIENT")

    signing_in = [service.device().sign_in(patient["email"]) for _ in range(6)]
    suspending = administrator.post(f"/api/users/{patient['id']}/suspend")
    *_, suspended = await asyncio.gather(*signing_in, suspending)

    assert suspended.status_code == 200
    alive = "select 1 from sessions where user_id = $1 and revoked_at is null"
    assert await service.rows(alive, patient["id"]) == []


async def test_what_makes_no_sense_is_a_conflict(service):
    administrator, [patient] = await administered(service, "PATIENT")

    async def slug(user_id: str, verb: str) -> str:
        response = await administrator.post(f"/api/users/{user_id}/{verb}")
        assert response.status_code == 409
        return response.json()["type"].removeprefix("urn:bloom:problem:")

    assert await slug(patient["id"], "verify") == "not-pending-verification"
    assert await slug(patient["id"], "reinstate") == "not-suspended"
    assert await slug(administrator.user["id"], "suspend") == "own-account"
    await administrator.post(f"/api/users/{patient['id']}/suspend")
    assert await slug(patient["id"], "suspend") == "already-suspended"


ADMINISTRATORS_ONLY = [
    ("GET", ""), ("GET", "/counts"), ("GET", "/{id}"), ("POST", "/{id}/verify"), ("POST", "/{id}/suspend"),
    ("POST", "/{id}/reinstate"),
]  # fmt: skip


@pytest.mark.promise("AU13")
@pytest.mark.parametrize(("method", "path"), ADMINISTRATORS_ONLY)
async def test_only_administrators_manage_users(service, method, path):
    patient = await service.patient()
    therapist = await service.signed_in((await service.registered("THERAPIST"))["email"])
    path = "/api/users" + path.format(id=patient.user["id"])

    answers = [await device.send(method, path) for device in (patient, therapist, service.device())]

    assert [answer.status_code for answer in answers] == [403, 403, 401]
    assert all("detail" not in answer.json() for answer in answers)


@pytest.mark.parametrize(("method", "path"), ADMINISTRATORS_ONLY[2:])
async def test_a_missing_user_and_one_of_another_organisation_look_the_same(service, start_service, method, path):
    administrator = await service.administrator()
    other = await start_service()
    stranger = await other.registered("THERAPIST")

    missing, foreign = [
        await administrator.send(method, "/api/users" + path.format(id=user_id)) for user_id in (uuid4(), stranger["id"])
    ]

    assert (missing.status_code, foreign.status_code) == (404, 404)
    documents = [{k: v for k, v in one.json().items() if k not in {"instance", "trace_id"}} for one in (missing, foreign)]
    assert documents[0] == documents[1]
    assert await other.events("therapist.verified.v1", "user.suspended.v1") == []


async def test_an_administrator_who_signed_out_does_nothing_more(service):
    administrator, [patient] = await administered(service, "PATIENT")
    await administrator.sign_out()

    assert (await administrator.post(f"/api/users/{patient['id']}/suspend")).status_code == 401
    assert (await administrator.get("/api/users")).status_code == 401
