"""The API of preferences, phones and browsers: each caller's own, with limits, and open to no address but push services."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local_stack.providers import ProviderSimulator
from notifications.domain.reaching import MOST_SUBSCRIPTIONS
from notifications.main import create_app
from notifications.settings import Settings
from service_kit.database import Pool
from service_kit.testing import AUDIENCE, ISSUER, FixedClock, TokenIssuer

BASE = "/api/notifications"
ON, OFF = {"email": True, "sms": True, "push": True}, {"email": False, "sms": False, "push": False}


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
async def client(settings: Settings, pool: Pool, clock: FixedClock, issuer: TokenIssuer) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings.model_copy(update={"token_issuer": ISSUER, "token_audience": AUDIENCE}))
    app.state.kit.database, app.state.kit.tokens, app.state.kit.clock = pool, issuer.verifier(), clock
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://notifications.test") as client:
            yield client


@pytest.fixture
def me(practice: Any, issuer: TokenIssuer) -> dict[str, str]:
    return issuer.headers(role="PATIENT", tenant_id=practice.tenant_id, subject=uuid4())


@pytest.fixture
def somebody_else(practice: Any, issuer: TokenIssuer) -> dict[str, str]:
    return issuer.headers(role="ADMINISTRATOR", tenant_id=practice.tenant_id, subject=uuid4())


def problem(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


async def test_who_has_chosen_nothing_gets_what_is_usual(client: httpx.AsyncClient, me: dict[str, str]) -> None:
    answer = await client.get(f"{BASE}/preferences", headers=me)

    assert answer.headers["ETag"] == '"1"'
    usual = {"email": True, "sms": False, "push": True}
    assert answer.json() == {"appointments": usual, "reminders": usual, "quietHours": None, "revision": 0}


async def test_choices_are_kept_and_are_the_callers_own(
    client: httpx.AsyncClient, me: dict[str, str], somebody_else: dict[str, str]
) -> None:
    chosen = {"appointments": ON, "reminders": OFF, "quietHours": {"from": "22:30", "until": "06:00", "timeZone": "Asia/Tokyo"}}
    changed = await client.put(f"{BASE}/preferences", headers={**me, "If-Match": '"1"'}, json=chosen)

    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (await client.get(f"{BASE}/preferences", headers=me)).json() == {**chosen, "revision": 1}
    assert (await client.get(f"{BASE}/preferences", headers=somebody_else)).json()["revision"] == 0


async def test_a_change_needs_the_revision_that_was_seen(client: httpx.AsyncClient, me: dict[str, str]) -> None:
    chosen = {"appointments": ON, "reminders": ON, "quietHours": None}
    blind = await client.put(f"{BASE}/preferences", headers=me, json=chosen)
    first = await client.put(f"{BASE}/preferences", headers={**me, "If-Match": '"1"'}, json=chosen)
    stale = await client.put(f"{BASE}/preferences", headers={**me, "If-Match": '"1"'}, json=chosen)

    assert [each.status_code for each in (blind, first, stale)] == [428, 200, 412]


@pytest.mark.parametrize(
    "body",
    [
        {"appointments": ON, "reminders": ON},
        {"appointments": ON, "reminders": ON, "quietHours": None, "safety": OFF},
        {"appointments": {"email": True}, "reminders": ON, "quietHours": None},
        {"appointments": ON, "reminders": ON, "quietHours": {"from": "22:00", "until": "22:00"}},
        {"appointments": ON, "reminders": ON, "quietHours": {"from": "24:00", "until": "07:00"}},
        {"appointments": ON, "reminders": ON, "quietHours": {"from": "22:00", "until": "07:00", "timeZone": "Mars/Olympus"}},
        {"appointments": ON, "reminders": ON, "quietHours": {"from": "22:00", "until": "07:00", "timeZone": "../etc/passwd"}},
    ],
)
async def test_what_is_no_choice_is_refused(client: httpx.AsyncClient, me: dict[str, str], body: dict[str, Any]) -> None:
    answer = await client.put(f"{BASE}/preferences", headers={**me, "If-Match": '"1"'}, json=body)

    assert (answer.status_code, problem(answer)) == (422, "invalid-request")


@pytest.mark.parametrize("path", ["preferences", "phone", "push-subscriptions"])
async def test_nobody_without_a_token_sees_anything(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"{BASE}/{path}")).status_code == 401


async def test_a_phone_number_is_told_changed_and_forgotten(client: httpx.AsyncClient, me: dict[str, str]) -> None:
    assert problem(await client.get(f"{BASE}/phone", headers=me)) == "phone-not-found"
    for number in ("+15005550006", "+4930901820"):
        assert (await client.put(f"{BASE}/phone", headers=me, json={"number": number})).json() == {"number": number}
        assert (await client.get(f"{BASE}/phone", headers=me)).json() == {"number": number}
    assert (await client.delete(f"{BASE}/phone", headers=me)).status_code == 204
    assert problem(await client.delete(f"{BASE}/phone", headers=me)) == "phone-not-found"


@pytest.mark.parametrize(
    "number", ["", "15005550006", "+0123456789", "+1 500 5550006", "+123456", "+1234567890123456", "+15005550006\n"]
)
async def test_what_is_no_phone_number_is_refused_and_not_repeated(
    client: httpx.AsyncClient, me: dict[str, str], number: str
) -> None:
    answer = await client.put(f"{BASE}/phone", headers=me, json={"number": number})

    assert answer.status_code == 422
    assert "5550006" not in answer.text


async def test_a_browser_subscribes_with_the_key_that_is_offered_and_gets_one_subscription(
    client: httpx.AsyncClient, me: dict[str, str], providers: ProviderSimulator
) -> None:
    offered = (await client.get(f"{BASE}/push-subscriptions", headers=me)).json()
    assert len(offered["publicKey"]) == 87
    browser = providers.new_browser()
    first = await client.post(f"{BASE}/push-subscriptions", headers=me, json=browser)
    again = await client.post(f"{BASE}/push-subscriptions", headers=me, json=browser)

    assert (first.status_code, first.json()["service"]) == (201, "127.0.0.1")
    assert again.json()["id"] == first.json()["id"]
    assert len((await client.get(f"{BASE}/push-subscriptions", headers=me)).json()["items"]) == 1


async def test_a_browser_belongs_to_who_signed_in_there_last(
    client: httpx.AsyncClient, me: dict[str, str], somebody_else: dict[str, str], providers: ProviderSimulator
) -> None:
    browser = providers.new_browser()
    mine = await client.post(f"{BASE}/push-subscriptions", headers=me, json=browser)
    theirs = await client.post(f"{BASE}/push-subscriptions", headers=somebody_else, json=browser)

    assert theirs.json()["id"] != mine.json()["id"]
    assert (await client.get(f"{BASE}/push-subscriptions", headers=me)).json()["items"] == []
    for headers, status in ((me, 404), (somebody_else, 204), (somebody_else, 404)):
        path = f"{BASE}/push-subscriptions/{theirs.json()['id']}"
        assert (await client.delete(path, headers=headers)).status_code == status


async def test_of_too_many_browsers_the_oldest_goes(
    client: httpx.AsyncClient, me: dict[str, str], clock: FixedClock, providers: ProviderSimulator
) -> None:
    made = []
    for _ in range(MOST_SUBSCRIPTIONS + 2):
        clock.advance(seconds=1)
        answer = await client.post(f"{BASE}/push-subscriptions", headers=me, json=providers.new_browser())
        made.append(answer.json()["id"])

    kept = (await client.get(f"{BASE}/push-subscriptions", headers=me)).json()["items"]
    assert [each["id"] for each in kept] == made[2:]


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://169.254.169.254/latest/meta-data/",
        "http://fcm.googleapis.com.evil.example/send/x",
        "https://notify.windows.com.evil.example/w/x",
        "https://user@127.0.0.1:1/push/x",
        "http://localhost:8101/internal/contacts/x",
        "http://127.0.0.1/push/without-its-port",
        "https://[::1]/push/x",
        "https://127.0.0.1:99999/push/x",
        "https://[broken/push/x",
    ],
)
async def test_an_endpoint_at_no_push_service_is_refused(
    client: httpx.AsyncClient, me: dict[str, str], providers: ProviderSimulator, endpoint: str
) -> None:
    answer = await client.post(f"{BASE}/push-subscriptions", headers=me, json={**providers.new_browser(), "endpoint": endpoint})

    assert (answer.status_code, problem(answer)) == (422, "push-service-not-allowed")


@pytest.mark.parametrize("change", [{"p256dh": "AAAA"}, {"auth": "AAAA"}, {"auth": "§"}, {"p256dh": "A" * 101}])
async def test_keys_that_nothing_can_be_sealed_with_are_refused(
    client: httpx.AsyncClient, me: dict[str, str], providers: ProviderSimulator, change: dict[str, str]
) -> None:
    browser = providers.new_browser()
    answer = await client.post(f"{BASE}/push-subscriptions", headers=me, json={**browser, "keys": {**browser["keys"], **change}})

    assert (answer.status_code, problem(answer)) == (422, "invalid-request")


async def test_where_push_is_not_offered_nobody_can_subscribe(
    settings: Settings, pool: Pool, clock: FixedClock, issuer: TokenIssuer, me: dict[str, str], providers: ProviderSimulator
) -> None:
    closed = settings.model_copy(update={"push_key": None, "token_issuer": ISSUER, "token_audience": AUDIENCE})
    app = create_app(closed)
    app.state.kit.database, app.state.kit.tokens, app.state.kit.clock = pool, issuer.verifier(), clock
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://notifications.test") as client,
    ):
        answer = await client.post(f"{BASE}/push-subscriptions", headers=me, json=providers.new_browser())
        offered = await client.get(f"{BASE}/push-subscriptions", headers=me)

    assert (answer.status_code, problem(answer), offered.json()["publicKey"]) == (409, "push-not-offered", None)
