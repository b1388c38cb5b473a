"""The numbers of administrators: who may see them, what is counted, and the cache, with and without Valkey."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

NOW = datetime(2030, 1, 9, 9, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOBODY_LISTENS = "redis://127.0.0.1:1/0"


async def stats_of(api, practice) -> dict[str, object]:
    response = await api.get("/api/admin/stats", headers=practice.bearer())
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
async def valkey(valkey_server):
    client = Redis.from_url(valkey_server.url)
    yield client
    await client.aclose()


@pytest.mark.promise("AD1")
async def test_only_administrators_are_answered(api, practice):
    statuses = {
        role: (await api.get("/api/admin/stats", headers=practice.bearer(role))).status_code
        for role in ("ADMINISTRATOR", "THERAPIST", "PATIENT")
    }
    assert statuses == {"ADMINISTRATOR": 200, "THERAPIST": 403, "PATIENT": 403}
    assert (await api.get("/api/admin/stats")).status_code == 401


@pytest.mark.promise("AD2")
@pytest.mark.promise("AD3")
@pytest.mark.promise("US6")
async def test_people_count_by_role_sessions_while_they_run_and_accounts_of_seven_days(api, practice, neighbour):
    for role, age in (
        ("PATIENT", 6 * DAY),
        ("PATIENT", 7 * DAY + HOUR),
        ("PATIENT", 300 * DAY),
        ("THERAPIST", HOUR),
        ("ADMINISTRATOR", 8 * DAY),
    ):
        await practice.register(role, at=NOW - age)
    await neighbour.register("PATIENT", at=NOW)
    await practice.start_session(expires_at=NOW + HOUR)
    await practice.start_session(expires_at=NOW + timedelta(seconds=1))
    await practice.start_session(expires_at=NOW)
    await practice.start_session(expires_at=NOW + HOUR, revoked_at=NOW - HOUR)
    await practice.start_session(expires_at=None, revoked_at=NOW - HOUR)

    assert await stats_of(api, practice) == {
        "totalUsers": 5,
        "therapists": 1,
        "patients": 3,
        "activeSessions": 2,
        "newThisWeek": 2,
        "asOf": "2030-01-09T09:30:00Z",
        "freshnessSeconds": 0,
    }


@pytest.mark.promise("AD4")
async def test_numbers_are_kept_for_five_minutes_under_the_organisations_own_key(
    connected, make_app, valkey_server, valkey, practice, neighbour, clock
):
    async with connected(make_app(valkey_url=valkey_server.url)) as api:
        await practice.register("PATIENT")
        missed = await stats_of(api, practice)
        await practice.register("PATIENT")
        clock.advance(seconds=90)
        hit = await stats_of(api, practice)

        key = f"cached:admin:stats:{practice.tenant_id}"
        assert 295 <= await valkey.ttl(key) <= 300
        assert (missed["patients"], missed["freshnessSeconds"]) == (1, 0)
        assert hit == {**missed, "freshnessSeconds": 90}
        assert (await stats_of(api, neighbour))["patients"] == 0

        await valkey.delete(key)
        assert (await stats_of(api, practice))["patients"] == 2


@pytest.mark.promise("AD4")
async def test_without_valkey_numbers_are_counted_each_time_and_nobody_waits(connected, make_app, practice):
    async with connected(make_app(valkey_url=NOBODY_LISTENS)) as api:
        for expected in (1, 2, 3):
            await practice.register("PATIENT")
            began = time.monotonic()
            assert (await stats_of(api, practice))["patients"] == expected
            assert time.monotonic() - began < 5


async def test_what_is_not_ours_in_the_cache_is_a_miss(connected, make_app, valkey_server, valkey, practice):
    async with connected(make_app(valkey_url=valkey_server.url)) as api:
        await practice.register("PATIENT")
        for rubbish in (b"{", b"[]", b"7", b'{"as_of": 1}', b'{"as_of": "2030-01-09T09:30:00Z", "more": 1}'):
            await valkey.set(f"cached:admin:stats:{practice.tenant_id}", rubbish)
            assert (await stats_of(api, practice))["patients"] == 1
