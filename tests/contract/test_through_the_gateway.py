"""The real services behind the real gateway: who may do what, and that both speak alike."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from service_kit.problems import ProblemDocument
from service_kit.service_tokens import ServiceTokenSigner
from tools.steps import ROOT

if TYPE_CHECKING:
    from local_stack.stack import Stack

NOBODYS = "018f6f3e-0000-7000-8000-000000000000"
EVERYBODY = {"patient", "therapist", "administrator"}
WHO_MAY_READ = {
    "/api/users/me": EVERYBODY,
    "/api/users": {"administrator"},
    "/api/users/counts": {"administrator"},
    "/api/therapists": EVERYBODY,
    "/api/therapists/me": {"therapist"},
    "/api/appointments": EVERYBODY,
    "/api/invoices": {"patient", "administrator"},
    "/api/invoices/prices": {"administrator"},
    "/api/invoices/totals": {"administrator"},
    "/api/conversations": EVERYBODY,
    "/api/models": {"therapist", "administrator"},
    "/api/alerts": {"therapist", "administrator"},
    "/api/alerts/chain": {"administrator"},
    "/api/notifications/preferences": EVERYBODY,
    "/api/notifications/push-subscriptions": EVERYBODY,
}


@pytest.fixture(scope="module")
def ask(platform: "Stack") -> Callable[..., httpx.Response]:
    """Ask the gateway as one of the demo tenant's people, or as nobody."""
    from local_stack.seed import logins

    headers: dict[str, dict[str, str]] = {"nobody": {}}
    for role, login in logins(platform).items():
        body = {"email": login.email, "password": login.password}
        answer = httpx.post(f"{platform.gateway.url}/api/auth/sign-in", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        headers[role] = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def asked(role: str, path: str, method: str = "GET", **given: Any) -> httpx.Response:
        return httpx.request(method, platform.gateway.url + path, headers=headers[role], timeout=30, **given)

    return asked


@pytest.mark.promise("AU13")
@pytest.mark.promise("GW2")
@pytest.mark.promise("PL8")
@pytest.mark.parametrize("path", WHO_MAY_READ)
def test_each_role_reads_what_it_may_and_nobody_reads_anything(ask: Callable[..., httpx.Response], path: str):
    statuses = {role: ask(role, path).status_code for role in (*EVERYBODY, "nobody")}

    allowed = dict.fromkeys(WHO_MAY_READ[path], 200)
    assert statuses == {**dict.fromkeys(EVERYBODY, 403), **allowed, "nobody": 401}


@pytest.mark.promise("GW2")
def test_the_gateway_and_the_services_tell_problems_alike(ask: Callable[..., httpx.Response]):
    problems = {
        "gateway": [ask("patient", "/api/nothing"), ask("nobody", "/api/users/me")],
        "service": [ask("patient", f"/api/appointments/{NOBODYS}"), ask("patient", "/api/users")],
    }

    for answer in (answer for answers in problems.values() for answer in answers):
        document = ProblemDocument.model_validate(answer.json())
        assert answer.headers["content-type"] == "application/problem+json"
        assert document.status == answer.status_code
        assert document.instance == f"urn:bloom:request:{answer.headers['x-request-id']}"
        assert answer.headers["cache-control"] == "no-store"


def test_the_pages_show_the_document_of_the_services_that_run(ask: Callable[..., httpx.Response]):
    shown = ask("nobody", "/openapi.json").json()

    assert shown == json.loads((ROOT / "docs/openapi.json").read_text())
    assert "swagger-ui-bundle.js" in ask("nobody", "/docs").text
    assert {"/api/auth/sign-in", "/api/invoices", "/api/messages", "/v1/predict", "/api/alerts/{alert_id}/timeline"} <= set(
        shown["paths"]
    )


def test_the_gateway_says_that_the_whole_platform_is_ready(ask: Callable[..., httpx.Response]):
    assert ask("nobody", "/health").status_code == 200
    assert ask("nobody", "/metrics").status_code == 404
    assert ask("nobody", "/health/ready").status_code == 404


@pytest.mark.promise("ML1")
def test_who_treats_people_may_ask_the_model_about_a_text_and_patients_may_not(ask: Callable[..., httpx.Response]):
    answers = {role: ask(role, "/v1/predict", "POST", json={"text": "I slept well."}) for role in (*EVERYBODY, "nobody")}

    assert {role: answer.status_code for role, answer in answers.items()} == {
        "therapist": 200,
        "administrator": 200,
        "patient": 403,
        "nobody": 401,
    }
    told = answers["therapist"].json()
    assert {"label", "confidence", "allScores"} <= set(told)
    assert len(told["allScores"]) == 7


@pytest.mark.parametrize("path", [f"/internal/contacts/{NOBODYS}", f"/internal/conversations/{NOBODYS}/keys/1"])
def test_what_the_services_ask_each_other_is_at_none_of_their_public_doors(
    ask: Callable[..., httpx.Response], platform: "Stack", path: str
):
    key = platform.surroundings.own_settings["ml-scoring"]["SERVICE_KEY"]
    signer = ServiceTokenSigner("ml-scoring", SecretStr(key))
    own = {"Authorization": f"Bearer {signer.token('messaging')}", "X-Tenant-Id": NOBODYS}
    by_a_service = httpx.get(f"{platform.gateway.url}{path}", headers=own, timeout=30)
    inside = [
        httpx.get(f"http://{platform.services[name].address}{path}", headers={"X-Tenant-Id": NOBODYS}, timeout=30)
        for name in ("auth-api", "messaging-api")
    ]

    assert {ask(role, path).status_code for role in (*EVERYBODY, "nobody")} == {404}
    assert by_a_service.status_code == 404
    # Without a token of a service there is nothing to see behind the gateway either.
    assert {answer.status_code for answer in inside} == {401, 404}


def test_a_refresh_works_with_the_cookie_alone(platform: "Stack"):
    from local_stack.seed import logins

    login = logins(platform)["patient"]
    with httpx.Client(base_url=platform.gateway.url, timeout=30) as browser:
        signed_in = browser.post("/api/auth/sign-in", json={"email": login.email, "password": login.password})
        refreshed = browser.post("/api/auth/refresh", headers={"X-CSRF-Token": signed_in.json()["csrf_token"]})
        without_proof = browser.post("/api/auth/refresh")

    assert signed_in.status_code == 200
    assert refreshed.status_code == 200, refreshed.text
    assert without_proof.status_code == 403
