"""Refreshing: each token is good once, a copy ends the session, two tabs and lost answers do not."""

import asyncio

import httpx
import pytest

from bloom_events.ids import SessionId

ENDED = "urn:bloom:problem:session-ended"


async def present(service, cookie: str | None, csrf: str | None, **headers: str) -> httpx.Response:
    """Send a refresh with exactly this cookie and token, from a device that has none of its own."""
    given = {"Cookie": f"bloom_refresh={cookie}"} if cookie else {}
    if csrf:
        given["X-CSRF-Token"] = csrf
    return await service.device().post("/api/auth/refresh", headers=given | headers)


@pytest.mark.promise("AU10")
async def test_a_refresh_gives_new_tokens_and_keeps_the_session(service):
    device = await service.patient()
    first, bearer = device.refresh_cookie, device.bearer
    service.clock.advance(minutes=9)

    response = await device.refresh()

    assert response.status_code == 200
    assert device.refresh_cookie not in {None, first}
    assert device.bearer != bearer
    assert len(await service.rows("select id from sessions")) == 1
    assert (await device.get("/api/users/me")).status_code == 200


@pytest.mark.promise("AU10")
async def test_a_spent_token_ends_the_session_for_everybody(service):
    device = await service.patient()
    stolen, csrf = device.refresh_cookie, device.csrf
    await device.refresh()
    service.clock.advance(seconds=11)

    thief = await present(service, stolen, csrf)
    owner = await device.refresh()

    assert (thief.status_code, owner.status_code) == (401, 401)
    assert thief.json()["type"] == owner.json()["type"] == ENDED
    assert (await device.get("/api/users/me")).status_code == 401
    [(_, revoked)] = await service.events("session.revoked.v1")
    assert revoked["reason"] == "reuse_detected"


async def test_the_token_before_the_last_ends_the_session_even_within_the_grace(service):
    device = await service.patient()
    old, csrf = device.refresh_cookie, device.csrf
    await device.refresh()
    await device.refresh()

    assert (await present(service, old, csrf)).status_code == 401
    assert (await device.refresh()).status_code == 401


async def test_a_lost_answer_is_given_again_within_the_grace(service):
    device = await service.patient()
    before, csrf = device.refresh_cookie, device.csrf
    await device.refresh()
    service.clock.advance(seconds=10)

    again = await present(service, before, csrf)

    assert again.status_code == 200
    assert again.cookies["bloom_refresh"] == device.refresh_cookie
    assert (await device.refresh()).status_code == 200


async def test_ten_tabs_that_refresh_at_once_stay_signed_in_with_one_successor(service):
    device = await service.patient()
    cookie, csrf = device.refresh_cookie, device.csrf

    answers = await asyncio.gather(*(present(service, cookie, csrf) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.cookies["bloom_refresh"] for answer in answers}) == 1
    assert [row["generation"] for row in await service.rows("select generation from sessions")] == [2]


async def test_a_session_ends_when_it_was_not_used_for_a_week(service):
    device = await service.patient()
    service.clock.advance(days=6, hours=23)
    assert (await device.refresh()).status_code == 200
    service.clock.advance(days=7)

    assert (await device.refresh()).status_code == 401


async def test_a_session_ends_after_a_month_however_often_it_is_used(service):
    device = await service.patient()
    statuses = []
    for _ in range(6):
        service.clock.advance(days=6)
        statuses.append((await device.refresh()).status_code)

    assert statuses == [200, 200, 200, 200, 401, 401]


async def test_the_refresh_cookie_lasts_no_longer_than_the_session(start_service):
    service = await start_service(session_idle_hours=24, session_absolute_hours=25)
    device = await service.patient()
    service.clock.advance(hours=23)

    response = await device.refresh()

    assert all("Max-Age=7200;" in line for line in response.headers.get_list("set-cookie"))


@pytest.mark.promise("AU11")
async def test_the_cookie_alone_refreshes_nothing(service):
    device, other = await service.patient(), await service.patient()

    without = await present(service, device.refresh_cookie, None)
    wrong = await present(service, device.refresh_cookie, "x" * 43)
    foreign = await present(service, device.refresh_cookie, other.csrf)
    strange = await present(service, device.refresh_cookie, "\u00e9")

    assert [answer.status_code for answer in (without, wrong, foreign, strange)] == [403] * 4
    assert without.json()["type"] == "urn:bloom:problem:cross-site-request"
    assert (await device.refresh()).status_code == 200


@pytest.mark.promise("AU11")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://auth.test.evil.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://auth.test", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://auth.test", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://portal.test", "Sec-Fetch-Site": "same-site"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ],
)
async def test_a_refresh_comes_from_our_own_pages_or_from_no_page(start_service, headers, status):
    service = await start_service(allowed_origins="https://portal.test, https://other.test/")
    device = await service.patient()

    assert (await device.refresh(**headers)).status_code == status


async def test_a_missing_or_unreadable_cookie_is_refused_alike(service):
    device = await service.patient()
    cookies = [None, "x", "A" * 90, "é", device.refresh_cookie + "A", device.refresh_cookie[:-1], "%00", "A" * 5000]

    answers = [await present(service, cookie, device.csrf) for cookie in cookies]

    assert [answer.status_code for answer in answers] == [401] * len(cookies)
    assert {answer.json()["type"] for answer in answers} == {ENDED}
    assert (await device.refresh()).status_code == 200


async def test_a_token_with_one_bit_changed_is_refused_and_changes_nothing(service):
    from auth.domain.tokens import RefreshToken

    device = await service.patient()
    genuine = RefreshToken.parse(device.refresh_cookie)
    changed = RefreshToken(
        tenant_id=genuine.tenant_id, session_id=genuine.session_id, generation=genuine.generation + 1, proof=genuine.proof
    )

    refused = await present(service, changed.encode(), device.csrf)

    assert refused.status_code == 401
    assert await service.events("session.revoked.v1") == []
    assert (await device.refresh()).status_code == 200


async def test_a_token_of_a_session_that_does_not_exist_is_refused(service):
    from auth.domain.tokens import RefreshToken, csrf_token
    from bloom_events.ids import new_id

    keys, session_id = service.tools.keys, SessionId(new_id())
    token = RefreshToken.issue(key=keys.refresh, seed=b"s" * 32, tenant_id=service.tenant_id, session_id=session_id, generation=1)
    csrf = csrf_token(key=keys.csrf, tenant_id=service.tenant_id, session_id=session_id)

    assert (await present(service, token.encode(), csrf)).status_code == 401


async def test_what_the_database_holds_is_not_enough_to_make_a_refresh_token(service):
    device = await service.patient()
    [row] = await service.rows("select seed, generation::text from sessions")

    assert row["seed"].hex() not in device.refresh_cookie
    from auth.domain.tokens import RefreshToken

    token = RefreshToken.parse(device.refresh_cookie)
    assert row["seed"] not in token.proof
    assert not token.is_genuine(key=b"another master key's derived key", seed=row["seed"])
