"""How another service learns whom to write to, and that nobody else does."""

import json
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from service_kit.service_tokens import ServiceTokenSigner, new_service_key, public_service_key

KEYS = {name: new_service_key() for name in ("notifications", "billing")}
TRUSTED = {name: public_service_key(key) for name, key in KEYS.items()}


@pytest.fixture
async def auth(start_service):
    return await start_service(trusted_services=TRUSTED)


async def ask(auth, user_id, *, as_service="notifications", audience="auth", tenant=None, key=None) -> httpx.Response:
    signer = ServiceTokenSigner(as_service, SecretStr(key or KEYS[as_service]))
    headers = signer.headers(audience, tenant or auth.tenant_id)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=auth.app), base_url="https://auth.test") as client:
        return await client.get(f"/internal/contacts/{user_id}", headers=headers)


async def test_notifications_learns_how_somebody_is_reached(auth):
    user = await auth.registered(displayName="Robin Vale")

    answer = await ask(auth, user["id"])

    assert answer.status_code == 200
    assert answer.json() == {
        "email": user["email"], "role": "PATIENT", "status": "active", "displayName": "Robin Vale", "locale": None,
        "timeZone": None, "revision": 1,
    }  # fmt: skip


async def test_a_stranger_and_somebody_of_another_organisation_are_not_found(auth):
    user = await auth.registered()

    assert (await ask(auth, uuid4())).status_code == 404
    assert (await ask(auth, user["id"], tenant=uuid4())).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"as_service": "billing"}, {"audience": "messaging"}, {"key": new_service_key()}],
    ids=["a service that has no business here", "a token for another service", "a key that nobody knows"],
)
async def test_every_other_caller_is_refused(auth, wrong):
    user = await auth.registered()

    assert (await ask(auth, user["id"], **wrong)).status_code == 401


async def test_people_are_refused_administrators_too(auth):
    administrator = await auth.administrator()
    path = f"/internal/contacts/{administrator.user['id']}"

    answer = await administrator.get(path, headers={"X-Tenant-Id": str(auth.tenant_id)})

    assert answer.status_code == 401


async def test_a_changed_profile_is_told_without_saying_what_it_is_now(auth):
    patient = await auth.patient()
    await patient.send("PATCH", "/api/users/me", json={"displayName": "Robin Vale"}, headers={"If-Match": '"1"'})
    await patient.send("PATCH", "/api/users/me", json={"displayName": "Robin Vale"}, headers={"If-Match": '"2"'})

    told = await auth.events("user.profile-changed.v1")

    assert told == [("user.profile-changed.v1", {"user_id": patient.user["id"], "revision": 2})]
    assert "Robin" not in json.dumps(told)
