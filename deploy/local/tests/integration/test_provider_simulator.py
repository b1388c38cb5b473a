"""The simulated providers answer as the real ones do: Twilio's messages with its error codes, and a push service by the RFCs."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from pywebpush import WebPusher

from local_stack.providers import ACCOUNT_SID, SENDER, ProviderSimulator

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderSimulator]:
    made = ProviderSimulator(tmp_path_factory.mktemp("providers"), guarded=True)
    made.start()
    made.wait_ready()
    yield made
    made.kill()


@pytest.fixture
def twilio(simulator: ProviderSimulator) -> Iterator[httpx.Client]:
    auth = (ACCOUNT_SID, simulator.auth_token)
    with httpx.Client(base_url=simulator.url, auth=auth, timeout=2.0, trust_env=False) as client:
        yield client


def create(twilio: httpx.Client, **form: str) -> httpx.Response:
    return twilio.post(MESSAGES, data={"To": "+12025550100", "From": SENDER, "Body": "Hello"} | form)


def test_a_message_is_created_fetched_and_listed(twilio: httpx.Client) -> None:
    created = create(twilio, To="+12025550101", Body="Listed")
    assert created.status_code == 201
    message = created.json()
    assert (message["status"], message["to"], message["direction"]) == ("queued", "+12025550101", "outbound-api")
    assert message["sid"].startswith("SM")

    assert twilio.get(message["uri"]).json() == message
    assert twilio.get(MESSAGES, params={"To": "+12025550101"}).json()["messages"] == [message]
    assert twilio.get(MESSAGES, params={"To": "+12025550102"}).json()["messages"] == []


def test_a_list_comes_in_pages_the_newest_first(twilio: httpx.Client) -> None:
    sids = [create(twilio, To="+12025550103", Body=str(number)).json()["sid"] for number in range(5)]
    found, path = [], f"{MESSAGES}?To=%2B12025550103&PageSize=2"
    while path:
        page = twilio.get(path).json()
        found += [message["sid"] for message in page["messages"]]
        path = page["next_page_uri"]

    assert found == sids[::-1]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"To": ""}, 21604),
        ({"Body": ""}, 21602),
        ({"From": ""}, 21603),
        ({"To": "12025550100"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550004"}, 21610),
        ({"Body": "x" * 1601}, 21617),
    ],
)
def test_what_twilio_refuses_is_refused_with_its_code(twilio: httpx.Client, form: dict[str, str], code: int) -> None:
    answer = create(twilio, **form)

    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (400, code, 400)


def test_nobody_sends_without_the_accounts_token(simulator: ProviderSimulator) -> None:
    answer = httpx.post(simulator.url + MESSAGES, auth=(ACCOUNT_SID, "wrong"), data={}, trust_env=False)

    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


def test_faults_come_in_turn_and_say_whether_anything_was_sent(simulator: ProviderSimulator, twilio: httpx.Client) -> None:
    number = "+12025550104"
    simulator.fail_next(
        "sms", {"mode": "error", "status": 429, "retry_after": 3}, {"mode": "hang-before"}, {"mode": "hang-after"}
    )
    busy = create(twilio, To=number)
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "3")
    for sent in (0, 1):
        with pytest.raises(httpx.ReadTimeout):
            create(twilio, To=number)
        assert len(simulator.sms(to=number)) == sent

    assert simulator.faults_left("sms") == 0


def push(simulator: ProviderSimulator, browser: dict[str, Any], **more: Any) -> httpx.Response:
    key = ECKey.generate_key("P-256")
    claims = {"aud": simulator.url, "exp": int(time.time()) + 600, "sub": "mailto:a@b.example"} | more.pop("claims", {})
    token = jwt.encode({"alg": "ES256"}, claims, key)
    body = WebPusher(browser).encode(json.dumps({"tag": "t"}).encode())["body"]
    headers = {
        "Authorization": f"vapid t={token},k={_point(key)}",
        "Content-Encoding": "aes128gcm",
        "TTL": "60",
        "Topic": "topic",
        "Urgency": "high",
    } | more.pop("headers", {})
    sent = {name: value for name, value in headers.items() if value is not None}
    return httpx.post(browser["endpoint"], content=more.pop("body", body), headers=sent, trust_env=False)


def _point(key: ECKey) -> str:
    raw = key.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_browser_opens_what_was_sealed_for_it(simulator: ProviderSimulator) -> None:
    browser = simulator.new_browser()
    answer = push(simulator, browser)

    assert answer.status_code == 201
    assert answer.headers["Location"].startswith(simulator.url)
    assert simulator.pushed(browser) == [{"ttl": "60", "topic": "topic", "urgency": "high", "payload": {"tag": "t"}}]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"headers": {"TTL": None}}, 400),
        ({"headers": {"Topic": "x" * 33}}, 400),
        ({"headers": {"Content-Encoding": "gzip"}}, 400),
        ({"headers": {"Authorization": None}}, 401),
        ({"headers": {"Authorization": "vapid t=a.b.c,k=AAAA"}}, 403),
        ({"claims": {"aud": "https://elsewhere.example"}}, 403),
        ({"claims": {"exp": 1}}, 403),
        ({"claims": {"sub": "nobody"}}, 403),
        ({"body": b"x" * 4097}, 413),
    ],
)
def test_what_a_push_service_refuses_is_refused(simulator: ProviderSimulator, wrong: dict[str, Any], status: int) -> None:
    browser = simulator.new_browser()

    assert push(simulator, browser, **wrong).status_code == status
    assert simulator.pushed(browser) == []


def test_a_browser_that_unsubscribed_is_gone(simulator: ProviderSimulator) -> None:
    browser = simulator.new_browser()
    simulator.forget_browser(browser)

    assert push(simulator, browser).status_code == 410
