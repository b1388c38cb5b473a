"""Becoming a user: patients, therapists, invitations, and what is refused."""

import asyncio
from typing import Any

import pytest

PASSWORD = "seven green bottles"


def body(**changed: Any) -> dict:
    return {"email": "robin@example.test", "password": PASSWORD} | changed


def therapist(**changed: Any) -> dict:
    return body(role="THERAPIST", displayName="Dr. Robin Vale") | changed


async def invited(service, email: str = "robin@example.test") -> str:
    administrator = await service.administrator()
    response = await administrator.post("/api/auth/invitations", json={"email": email})
    assert response.status_code == 201, response.text
    return response.json()["token"]


@pytest.mark.promise("AU5")
async def test_a_patient_registers_and_is_active_at_once(service):
    response = await service.device().post("/api/auth/register", json=body())

    assert response.status_code == 201
    user = response.json()
    assert (user["role"], user["status"], user["profileComplete"]) == ("PATIENT", "active", False)
    assert response.headers["location"] == "/api/users/me"
    assert await service.events() == [("user.registered.v1", {"user_id": user["id"], "role": "PATIENT", "status": "active"})]


@pytest.mark.promise("AU5")
async def test_a_therapist_without_an_invitation_waits_for_verification(service):
    response = await service.device().post("/api/auth/register", json=therapist())

    user = response.json()
    assert (response.status_code, user["status"]) == (201, "pending_verification")
    registered = {"user_id": user["id"], "role": "THERAPIST", "status": "pending_verification"}
    assert await service.events() == [("user.registered.v1", registered)]


@pytest.mark.promise("AU5", "PL6")
async def test_an_invited_therapist_is_verified_at_once(service):
    token = await invited(service)

    response = await service.device().post("/api/auth/register", json=therapist(invitationToken=token))

    user = response.json()
    assert (response.status_code, user["status"]) == (201, "active")
    assert user["verifiedAt"] is not None
    verified = {"user_id": user["id"], "display_name": "Dr. Robin Vale"}
    assert await service.events("therapist.verified.v1") == [("therapist.verified.v1", verified)]


async def test_an_invitation_works_once(service):
    token = await invited(service)
    first = await service.device().post("/api/auth/register", json=therapist(invitationToken=token))
    second = await service.device().post("/api/auth/register", json=therapist(invitationToken=token))

    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["type"] == "urn:bloom:problem:invitation-not-usable"


async def test_an_invitation_used_by_two_at_once_makes_one_therapist(service):
    token = await invited(service)
    requests = [service.device().post("/api/auth/register", json=therapist(invitationToken=token)) for _ in range(5)]

    answers = await asyncio.gather(*requests)

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert len(await service.events("therapist.verified.v1")) == 1


@pytest.mark.parametrize("token", ["", "x", "AAAA", "ä", "a" * 200])
async def test_a_forged_invitation_is_refused(service, token):
    response = await service.device().post("/api/auth/register", json=therapist(invitationToken=token or "-"))

    assert response.status_code == 409
    assert response.json()["type"] == "urn:bloom:problem:invitation-not-usable"


async def test_an_invitation_is_for_one_address_and_for_a_week(service):
    token = await invited(service)
    other = await service.device().post("/api/auth/register", json=therapist(invitationToken=token, email="kim@example.test"))
    service.clock.advance(days=7)
    late = await service.device().post("/api/auth/register", json=therapist(invitationToken=token))

    assert (other.status_code, late.status_code) == (409, 409)
    assert await service.events("therapist.verified.v1") == []


@pytest.mark.promise("AU13")
async def test_only_administrators_invite(service):
    patient = await service.patient()
    refused = await patient.post("/api/auth/invitations", json={"email": "kim@example.test"})
    nobody = await service.device().post("/api/auth/invitations", json={"email": "kim@example.test"})

    assert (refused.status_code, nobody.status_code) == (403, 401)


async def test_the_invitation_token_is_the_same_for_a_repeated_request_and_is_stored_nowhere(service):
    administrator = await service.administrator()
    once = {"Idempotency-Key": "invite-1"}
    first = await administrator.post("/api/auth/invitations", json={"email": "kim@example.test"}, headers=once)
    again = await administrator.post("/api/auth/invitations", json={"email": "kim@example.test"}, headers=once)
    other = await administrator.post("/api/auth/invitations", json={"email": "lee@example.test"}, headers=once)

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    kept = await service.rows("select body from idempotency_keys")
    assert len(kept) == 1
    assert first.json()["token"].encode() not in kept[0]["body"]


async def test_nobody_registers_as_an_administrator(service):
    response = await service.device().post("/api/auth/register", json=body(role="ADMINISTRATOR"))

    assert response.status_code == 422
    assert await service.events() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "no address"}, {"email": "a@b@example.test"}, {"email": "robin@example.test\nBcc: all"}, {"email": None},
        {"email": "x" * 250 + "@example.test"}, {"password": ""}, {"password": None}, {"password": 12345678901234},
        {"role": "patient"}, {"timeZone": "Mars/Olympus"}, {"timeZone": "../../etc/passwd"}, {"locale": "english"},
        {"displayName": ""}, {"displayName": "   "}, {"displayName": "a\u0000b"}, {"displayName": "x" * 201},
        {"tenant": "No Such"}, {"is_admin": True}, {"role": "THERAPIST"}, {"invitationToken": "x"},
    ],
    ids=repr,
)  # fmt: skip
async def test_a_malformed_registration_is_refused_without_an_echo(service, changed):
    response = await service.device().post("/api/auth/register", json=body(**changed))

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "robin@" not in response.text
    assert PASSWORD not in response.text
    assert await service.events() == []


@pytest.mark.parametrize("password", ["short one", "aaaaaaaaaaaaaaaa", "robin@example.test", "x" * 257])
async def test_a_weak_password_is_refused(service, password):
    response = await service.device().post("/api/auth/register", json=body(password=password))

    assert response.status_code == 422
    assert response.json()["type"] == "urn:bloom:problem:weak-password"
    assert password not in response.text


@pytest.mark.parametrize("email", ["robin@example.test", "ROBIN@Example.TEST", " robin@example.test "])
async def test_a_known_address_is_refused_however_it_is_written(service, email):
    await service.device().post("/api/auth/register", json=body())
    again = await service.device().post("/api/auth/register", json=body(email=email))

    assert again.status_code == 409
    assert again.json()["type"] == "urn:bloom:problem:email-already-registered"
    assert "robin" not in again.text.lower()


async def test_one_address_registered_many_times_at_once_is_one_user(service):
    answers = await asyncio.gather(*(service.device().post("/api/auth/register", json=body()) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(await service.events("user.registered.v1")) == 1


async def test_the_same_address_may_register_with_another_organisation(service, start_service):
    other = await start_service()
    first = await service.device().post("/api/auth/register", json=body())
    second = await service.device().post("/api/auth/register", json=body(tenant=other.slug))

    assert (first.status_code, second.status_code) == (201, 201)
    assert len(await other.events("user.registered.v1")) == 1


async def test_an_unknown_organisation_is_not_found(service):
    response = await service.device().post("/api/auth/register", json=body(tenant="nobody-here"))

    assert response.status_code == 404
    assert response.json()["type"] == "urn:bloom:problem:unknown-tenant"


async def test_a_repeated_registration_with_the_same_key_has_one_effect_and_one_answer(service):
    once = {"Idempotency-Key": "register-1"}
    answers = [await service.device().post("/api/auth/register", json=body(), headers=once) for _ in range(3)]
    other = await service.device().post("/api/auth/register", json=body(email="kim@example.test"), headers=once)

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert other.status_code == 422
    assert len(await service.events()) == 1


async def test_what_is_kept_of_a_repeatable_registration_cannot_be_guessed_back_to_its_password(service):
    from hashlib import sha256

    from service_kit.idempotency import fingerprint

    response = await service.device().post("/api/auth/register", json=body(), headers={"Idempotency-Key": "register-2"})
    kept = await service.rows("select request_hash, body from idempotency_keys")

    plain = fingerprint("POST", "/api/auth/register", "", response.request.content)
    assert kept[0]["request_hash"] not in {plain, sha256(response.request.content).digest()}
    assert PASSWORD.encode() not in kept[0]["body"]


@pytest.mark.promise("SE5")
@pytest.mark.parametrize("text", ["'; drop table users; --", "\\'; select 1", "$1", "%s", "' or '1'='1"])
async def test_sql_in_a_name_is_a_name(service, text):
    response = await service.device().post("/api/auth/register", json=body(displayName=text))

    assert response.json()["displayName"] == text
    assert len(await service.rows("select id from users where display_name = $1", text)) == 1
