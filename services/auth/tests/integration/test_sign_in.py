"""Signing in: what one gets, and that every failure looks and costs the same."""

import asyncio
import base64
import json
from http.cookies import SimpleCookie

import argon2
import bcrypt
import httpx
import pytest

from service_kit.testing import as_tenant

PASSWORD = "seven green bottles"


def cookies_of(response: httpx.Response) -> dict:
    found: SimpleCookie = SimpleCookie()
    for line in response.headers.get_list("set-cookie"):
        found.load(line)
    return dict(found)


def claims_of(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def store_hash(service, user_id: str, stored: str) -> None:
    async with as_tenant(service.pool, service.tenant_id) as connection:
        await connection.execute("update accounts set password_hash = $2 where user_id = $1", user_id, stored)


async def stored_hash(service, user_id: str) -> str:
    rows = await service.rows("select password_hash from accounts where user_id = $1", user_id)
    return rows[0]["password_hash"]


@pytest.mark.promise("AU3", "AU14")
async def test_signing_in_starts_a_session_and_gives_a_token(service):
    user = await service.registered()
    device = service.device()

    response = await device.sign_in(user["email"].upper())

    assert response.status_code == 200
    answer = response.json()
    assert (answer["token_type"], answer["expires_in"], answer["user"]) == ("Bearer", 600, user)
    claims = claims_of(answer["access_token"])
    assert claims.keys() == {"iss", "aud", "sub", "exp", "iat", "jti", "role", "tenant", "sid"}
    assert claims["exp"] - claims["iat"] == 600
    assert (claims["sub"], claims["role"], claims["tenant"]) == (user["id"], "PATIENT", str(service.tenant_id))
    sessions = await service.rows("select id, expires_at from sessions where user_id = $1", user["id"])
    assert [str(row["id"]) for row in sessions] == [claims["sid"]]
    [(_, started)] = await service.events("session.started.v1")
    assert (started["session_id"], started["user_id"], started["role"]) == (claims["sid"], user["id"], "PATIENT")


@pytest.mark.promise("AU10", "AU11")
async def test_the_refresh_cookie_is_hidden_from_pages_and_the_csrf_cookie_is_not(service):
    response = await service.device().sign_in((await service.registered())["email"])

    cookies = cookies_of(response)
    refresh, csrf = cookies["bloom_refresh"], cookies["bloom_csrf"]
    assert (refresh["httponly"], refresh["secure"], refresh["samesite"], refresh["path"]) == (True, True, "strict", "/api/auth")
    assert (csrf["httponly"], csrf["secure"], csrf["samesite"], csrf["path"]) == ("", True, "strict", "/")
    assert int(refresh["max-age"]) == 7 * 24 * 3600
    assert csrf.value == response.json()["csrf_token"]
    assert response.headers["cache-control"] == "no-store"


async def test_cookies_are_sent_without_tls_only_where_the_setting_says_so(start_service):
    service = await start_service(cookies_secure=False)

    cookies = cookies_of(await service.device().sign_in((await service.registered())["email"]))

    assert [cookies[name]["secure"] for name in ("bloom_refresh", "bloom_csrf")] == ["", ""]


@pytest.mark.promise("AU3", "AU4")
async def test_every_failure_gives_the_same_answer_and_looks_at_one_hash(service):
    patient, suspended = await service.registered(), await service.registered()
    administrator = await service.administrator()
    assert (await administrator.post(f"/api/users/{suspended['id']}/suspend")).status_code == 200
    tries = {
        "unknown": ("nobody@example.test", PASSWORD, None),
        "wrong": (patient["email"], "not the password", None),
        "suspended": (suspended["email"], PASSWORD, None),
        "organisation": (patient["email"], PASSWORD, "nobody-here"),
    }

    seen = {}
    for name, (email, password, tenant) in tries.items():
        before = service.tools.hashing.verifications
        response = await service.device().sign_in(email, password, **({"tenant": tenant} if tenant else {}))
        answer = response.json()
        seen[name] = (
            response.status_code, answer["type"], answer["title"], answer.get("detail"), sorted(answer),
            sorted(response.headers), service.tools.hashing.verifications - before,
        )  # fmt: skip

    assert len(set(map(str, seen.values()))) == 1, seen
    assert seen["unknown"][0] == 401
    assert seen["unknown"][-1] == 1


@pytest.mark.promise("AU4")
async def test_passwords_are_kept_as_argon2id_hashes(service):
    user = await service.registered()

    parameters = argon2.extract_parameters(await stored_hash(service, user["id"]))

    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)


@pytest.mark.promise("AU4")
async def test_a_bcrypt_hash_is_verified_and_made_anew_on_sign_in(service):
    user = await service.registered()
    await store_hash(service, user["id"], bcrypt.hashpw(b"an old password", bcrypt.gensalt(4)).decode())

    wrong = await service.device().sign_in(user["email"], "another password")
    unchanged = await stored_hash(service, user["id"])
    right = await service.device().sign_in(user["email"], "an old password")

    assert (wrong.status_code, right.status_code) == (401, 200)
    assert unchanged.startswith("$2b$")
    assert (await stored_hash(service, user["id"])).startswith("$argon2id$")
    assert (await service.device().sign_in(user["email"], "an old password")).status_code == 200


async def test_a_bcrypt_hash_of_a_very_long_password_still_verifies(service):
    user = await service.registered()
    long = "long password " * 10
    await store_hash(service, user["id"], bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode())

    assert (await service.device().sign_in(user["email"], long)).status_code == 200
    assert (await service.device().sign_in(user["email"], long)).status_code == 200


async def test_a_weaker_argon2_hash_is_made_anew_on_sign_in(service):
    user = await service.registered()
    await store_hash(service, user["id"], argon2.PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD))

    assert (await service.device().sign_in(user["email"])).status_code == 200
    assert argon2.extract_parameters(await stored_hash(service, user["id"])).memory_cost == 19_456


async def test_a_therapist_who_waits_for_verification_may_sign_in(service):
    user = await service.registered("THERAPIST")

    response = await service.device().sign_in(user["email"])

    assert (response.status_code, response.json()["user"]["status"]) == (200, "pending_verification")


async def test_a_password_typed_in_another_unicode_form_is_the_same(service):
    user = await service.registered(password="passwort größe fünf")

    assert (await service.device().sign_in(user["email"], "passwort gro\u0308ße fu\u0308nf")).status_code == 200
    assert (await service.device().sign_in(user["email"], "passwort grosse funf")).status_code == 401


async def test_a_flood_of_sign_ins_is_turned_away_instead_of_queued_for_ever(start_service):
    service = await start_service(hash_threads=1, hash_queue_limit=2)
    user = await service.registered()

    answers = await asyncio.gather(*(service.device().sign_in(user["email"]) for _ in range(12)))

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(503) >= 5
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 503)
    # Who was turned away has not tried.
    assert await service.rows("select 1 from sign_in_tries") == []
    assert (await service.device().sign_in(user["email"])).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '"text"',
        '{"email": 1, "password": 2}',
        '{"email": "a@example.test"}',
        '{"password": "x"}',
        "\x00",
        "{" * 500,
    ],
)
async def test_a_malformed_body_is_refused(service, text):
    response = await service.device().post(
        "/api/auth/sign-in", content=text.encode(), headers={"Content-Type": "application/json"}
    )

    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


async def test_another_sites_page_cannot_sign_a_browser_in(service):
    user = await service.registered()
    credentials = {"email": user["email"], "password": PASSWORD}
    evil = await service.device().post("/api/auth/sign-in", json=credentials, headers={"Origin": "https://evil.test"})
    hidden = await service.device().post("/api/auth/sign-in", json=credentials, headers={"Origin": "null"})
    cross = await service.device().post("/api/auth/sign-in", json=credentials, headers={"Sec-Fetch-Site": "cross-site"})
    own = await service.device().post("/api/auth/sign-in", json=credentials, headers={"Origin": "https://auth.test"})

    assert [evil.status_code, hidden.status_code, cross.status_code, own.status_code] == [403, 403, 403, 200]
