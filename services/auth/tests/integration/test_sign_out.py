"""Leaving: this device, every device, and what a changed password ends."""

import pytest

PASSWORD = "seven green bottles"
NEXT = "eight blue bottles"


async def reasons(service) -> list[str]:
    return [event["reason"] for _, event in await service.events("session.revoked.v1")]


@pytest.mark.promise("AU10")
async def test_signing_out_ends_the_session_and_takes_the_cookies_back(service):
    device = await service.patient()

    response = await device.sign_out()

    assert response.status_code == 204
    assert sorted(line.split("=")[0] for line in response.headers.get_list("set-cookie")) == ["bloom_csrf", "bloom_refresh"]
    assert all("Max-Age=0" in line for line in response.headers.get_list("set-cookie"))
    assert device.refresh_cookie is None
    assert await reasons(service) == ["signed_out"]
    assert (await device.get("/api/users/me")).status_code == 401


async def test_signing_out_twice_or_without_a_session_is_fine(service):
    device = await service.patient()
    cookie, csrf = device.refresh_cookie, device.csrf
    await device.sign_out()

    again = await service.device().post("/api/auth/sign-out", headers={"Cookie": f"bloom_refresh={cookie}", "X-CSRF-Token": csrf})
    nobody = await service.device().post("/api/auth/sign-out")

    assert (again.status_code, nobody.status_code) == (204, 204)
    assert await reasons(service) == ["signed_out"]


@pytest.mark.promise("AU11")
async def test_another_sites_page_cannot_sign_somebody_out(service):
    device = await service.patient()
    device.csrf = None

    refused = await device.sign_out()

    assert refused.status_code == 403
    assert await reasons(service) == []


@pytest.mark.promise("AU10")
async def test_signing_out_everywhere_ends_every_session_of_that_person_and_nobody_elses(service):
    user = await service.registered()
    phone, laptop, other = await service.signed_in(user["email"]), await service.signed_in(user["email"]), await service.patient()

    response = await phone.post("/api/auth/sign-out-everywhere")

    assert (response.status_code, response.json()) == (200, {"ended": 2})
    assert [(await device.refresh()).status_code for device in (laptop, other)] == [401, 200]
    assert (await laptop.get("/api/users/me")).status_code == 401
    assert await reasons(service) == ["signed_out_everywhere"] * 2


async def test_signing_out_everywhere_needs_a_live_session(service):
    device = await service.patient()
    await device.sign_out()

    assert (await device.post("/api/auth/sign-out-everywhere")).status_code == 401
    assert (await service.device().post("/api/auth/sign-out-everywhere")).status_code == 401


@pytest.mark.promise("AU4")
async def test_a_changed_password_ends_the_other_sessions(service):
    user = await service.registered()
    here, elsewhere = await service.signed_in(user["email"]), await service.signed_in(user["email"])

    response = await here.post("/api/auth/change-password", json={"currentPassword": PASSWORD, "newPassword": NEXT})

    assert response.status_code == 204
    assert [(await device.refresh()).status_code for device in (here, elsewhere)] == [200, 401]
    assert await reasons(service) == ["password_changed"]
    assert (await service.device().sign_in(user["email"])).status_code == 401
    assert (await service.device().sign_in(user["email"], NEXT)).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "status", "slug"),
    [
        ("not the password", NEXT, 401, "invalid-credentials"),
        (PASSWORD, "short", 422, "weak-password"),
        (PASSWORD, "", 422, "invalid-request"),
    ],
)
async def test_a_refused_change_of_password_changes_nothing(service, current, new, status, slug):
    user = await service.registered()
    here, elsewhere = await service.signed_in(user["email"]), await service.signed_in(user["email"])

    response = await here.post("/api/auth/change-password", json={"currentPassword": current, "newPassword": new})

    assert (response.status_code, response.json()["type"]) == (status, f"urn:bloom:problem:{slug}")
    assert (await elsewhere.refresh()).status_code == 200
    assert (await service.device().sign_in(user["email"])).status_code == 200


async def test_guessing_the_password_with_a_stolen_token_is_limited(start_service):
    service = await start_service(sign_in_limit_per_account="3/minute")
    device = await service.patient()
    body = {"currentPassword": "not the password", "newPassword": NEXT}

    statuses = [(await device.post("/api/auth/change-password", json=body)).status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]
