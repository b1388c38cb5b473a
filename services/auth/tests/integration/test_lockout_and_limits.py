"""Guessing: lockout per address in PostgreSQL, rate limits per client and account in Valkey."""

import asyncio

import pytest

PASSWORD = "seven green bottles"
WRONG = "not the password"


async def guess(service, email: str, times: int) -> list[int]:
    return [(await service.device().sign_in(email, WRONG)).status_code for _ in range(times)]


async def test_after_too_many_failures_the_right_password_is_not_looked_at_until_the_lock_ends(start_service):
    service = await start_service(lockout_failures=3, lockout_minutes=15)
    user = await service.registered()

    assert await guess(service, user["email"], 3) == [401, 401, 401]
    locked = await service.device().sign_in(user["email"])
    service.clock.advance(minutes=14, seconds=59)
    still = await service.device().sign_in(user["email"])
    service.clock.advance(seconds=1)
    after = await service.device().sign_in(user["email"])

    assert (locked.status_code, still.status_code, after.status_code) == (401, 401, 200)
    assert locked.json()["type"] == "urn:bloom:problem:invalid-credentials"


async def test_a_lock_tells_nobody_whether_the_address_has_an_account(start_service):
    service = await start_service(lockout_failures=2)
    user = await service.registered()

    async def observe(email: str) -> list[tuple]:
        seen = []
        for _ in range(4):
            before = service.tools.hashing.verifications
            answer = await service.device().sign_in(email, WRONG)
            body = answer.json()
            seen.append((answer.status_code, body["type"], sorted(body), service.tools.hashing.verifications - before))
        return seen

    assert await observe(user["email"]) == await observe("nobody@example.test")
    rows = await service.rows("select count, locked_until is not null as locked from sign_in_tries")
    assert [(row["count"], row["locked"]) for row in rows] == [(2, True), (2, True)]


async def test_guesses_at_once_are_no_more_than_the_limit(start_service):
    service = await start_service(lockout_failures=3)
    user = await service.registered()

    answers = await asyncio.gather(*(service.device().sign_in(user["email"], WRONG) for _ in range(30)))

    assert {answer.status_code for answer in answers} == {401}
    tries = await service.rows("select count, locked_until is not null as locked from sign_in_tries")
    assert [(row["count"], row["locked"]) for row in tries] == [(3, True)]
    assert (await service.device().sign_in(user["email"])).status_code == 401


async def test_a_success_clears_the_failures_before_it(start_service):
    service = await start_service(lockout_failures=3)
    user = await service.registered()

    for _ in range(3):
        assert await guess(service, user["email"], 2) == [401, 401]
        assert (await service.device().sign_in(user["email"])).status_code == 200
    assert await service.rows("select 1 from sign_in_tries") == []


async def test_old_failures_are_forgotten_and_swept_away(start_service):
    service = await start_service(lockout_failures=3)
    user = await service.registered()
    await guess(service, user["email"], 2)
    await guess(service, "nobody@example.test", 1)

    service.clock.advance(minutes=31)
    await guess(service, user["email"], 2)

    assert (await service.device().sign_in(user["email"])).status_code == 200
    assert await service.rows("select 1 from sign_in_tries") == []


@pytest.mark.promise("CA1")
async def test_one_client_address_may_try_only_so_often_whoever_it_tries(start_service):
    service = await start_service(sign_in_limit_per_client="3/minute")
    device = service.device()

    statuses = [(await device.sign_in(f"person-{n}@example.test")).status_code for n in range(4)]
    refused = await device.sign_in("person-9@example.test")
    elsewhere = await service.device().sign_in("person-9@example.test")

    assert statuses == [401, 401, 401, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert elsewhere.status_code == 401


@pytest.mark.promise("CA1")
async def test_one_account_may_be_tried_only_so_often_from_anywhere_known_or_not(start_service):
    service = await start_service(sign_in_limit_per_account="2/minute")
    user = await service.registered()

    async def statuses(email: str) -> list[int]:
        return [(await service.device().sign_in(email, WRONG)).status_code for _ in range(3)]

    assert await statuses(user["email"]) == [401, 401, 429]
    assert await statuses("nobody-at-all@example.test") == [401, 401, 429]


@pytest.mark.promise("CA1")
async def test_registrations_and_refreshes_of_one_client_are_limited(start_service):
    service = await start_service(register_limit_per_client="2/minute", refresh_limit_per_client="2/minute")
    device = service.device()

    registrations = [
        (await device.post("/api/auth/register", json={"email": f"p{n}@example.test", "password": PASSWORD})).status_code
        for n in range(3)
    ]
    refreshes = [(await device.refresh()).status_code for _ in range(3)]

    assert registrations == [201, 201, 429]
    assert refreshes == [401, 401, 429]


async def test_a_client_cannot_choose_its_own_address(start_service):
    service = await start_service(sign_in_limit_per_client="2/minute")
    device = service.device()

    async def claim(address: str) -> int:
        # The proxy adds what it saw behind what the client claims.
        headers = {"X-Forwarded-For": f"{address}, {device.address}"}
        body = {"email": "robin@example.test", "password": WRONG}
        return (await device.post("/api/auth/sign-in", json=body, headers=headers)).status_code

    assert [await claim(f"198.51.100.{n}") for n in range(3)] == [401, 401, 429]


async def test_limits_hold_on_in_memory_while_valkey_is_away(start_service):
    service = await start_service(valkey_url="redis://127.0.0.1:1/0", sign_in_limit_per_client="2/minute")
    device = service.device()

    assert [(await device.sign_in("robin@example.test")).status_code for _ in range(3)] == [401, 401, 429]
