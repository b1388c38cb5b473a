"""What the gateway adds to requests and answers, takes away from them, and writes down about them."""

from __future__ import annotations

import time
from uuid import UUID

import pytest

import gateway

pytestmark = pytest.mark.server

ORIGIN = "https://app.example.test"


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [("/api/invoices", "", 200), ("/api/invoices", None, 401), ("/nowhere", None, 404), ("/docs", None, 200)],
)
def test_every_answer_carries_the_security_headers(edge, path: str, token: str | None, status: int):
    response = edge.get(path, token=token)

    assert response.status_code == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["strict-transport-security"] == "max-age=600; includeSubDomains"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == ("public, max-age=300" if path == "/docs" else "no-store")
    assert response.headers["server"] == "bloom"
    assert not {"x-powered-by", "x-envoy-upstream-service-time"} & set(response.headers)


def test_hsts_is_sent_only_where_the_target_says_so():
    assert "strict-transport-security" not in gateway.render(gateway.preset("local"))


def test_the_request_id_is_made_at_the_edge_and_told_to_both_sides(edge):
    response = edge.get("/api/invoices", headers={"x-request-id": "chosen-by-the-client"})

    assert UUID(response.headers["x-request-id"])
    assert edge.last_received("billing").headers["x-request-id"] == response.headers["x-request-id"]


def test_headers_that_claim_what_only_the_gateway_knows_never_reach_a_service(edge):
    claimed = {
        "x-forwarded-for": "192.0.2.66",
        "x-forwarded-host": "evil.example.test",
        "x-forwarded-proto": "https",
        "x-real-ip": "192.0.2.66",
        "forwarded": "for=192.0.2.66",
        "x-original-url": "/api/users",
        "x-tenant-id": "other",
        "x-http-method-override": "DELETE",
        "x-envoy-internal": "true",
        "x-envoy-external-address": "192.0.2.66",
        "x-envoy-original-path": "/api/users",
    }

    edge.get("/api/invoices", headers=claimed)

    received = edge.last_received("billing").headers
    assert received["host"] == f"127.0.0.1:{edge.port}"
    assert received["x-forwarded-for"] == "127.0.0.1"
    assert received["x-forwarded-proto"] == "http"
    assert set(claimed) & set(received) == {"x-forwarded-for", "x-forwarded-proto"}
    assert not [name for name in received if name.startswith("x-envoy-")]


def test_envoys_own_control_headers_are_not_obeyed(edge_with):
    edge = edge_with(timeout_seconds=1)
    commands = {"x-envoy-upstream-rq-timeout-ms": "5000", "x-envoy-retry-on": "5xx,reset", "x-envoy-max-retries": "5"}
    edge.upstreams["billing"].deaths_left = 1

    died = edge.request("POST", "/api/invoices/dies-under-orders", headers=commands)
    edge.upstreams["billing"].deaths_left = 0
    started = time.monotonic()
    slow = edge.request("POST", "/api/invoices/slow", headers=commands)

    assert (died.status_code, slow.status_code) == (503, 504)
    assert time.monotonic() - started < 4


def test_an_allowed_origin_may_call_with_credentials(edge):
    asked = {"origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}

    preflight = edge.request("OPTIONS", "/api/appointments", token=None, headers=asked)
    answer = edge.get("/api/appointments", headers={"origin": ORIGIN})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "etag" in answer.headers["access-control-expose-headers"]


def test_an_error_of_the_gateway_can_be_read_by_an_allowed_origin(edge):
    response = edge.get("/api/appointments", token=None, headers={"origin": ORIGIN})

    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, ORIGIN)


@pytest.mark.parametrize(
    "origin", ["https://evil.example.test", "https://app.example.test.evil.example.test", "null", "http://app.example.test"]
)
def test_another_origin_gets_no_permission(edge, origin: str):
    asked = {"origin": origin, "access-control-request-method": "POST"}

    preflight = edge.request("OPTIONS", "/api/appointments", token=None, headers=asked)
    answer = edge.get("/api/appointments", headers={"origin": origin})

    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


def test_the_access_log_names_the_route_and_holds_nothing_personal(edge):
    token = edge.token()
    person = "018f6f3e-0000-7000-8000-00000000feed"
    headers = {"user-agent": "Secret-Browser/1.0", "cookie": "session=hidden"}

    request_id = edge.get(f"/api/invoices/{person}?mail=robin@example.test", token=token, headers=headers).headers["x-request-id"]
    line = _logged(edge, request_id)

    assert line["event"] == "http.answered"
    assert (line["route"], line["template"], line["method"], line["status"]) == ("invoices", "/api/invoices/*", "GET", 200)
    written = edge.log.read_text()
    for secret in (person, "robin", token, "Secret-Browser", "hidden", "127.0.0.1"):
        assert secret not in written


def _logged(edge, request_id: str) -> dict[str, object]:
    """The access log's line of a request; Envoy writes it a moment after the answer."""
    deadline = time.monotonic() + 15
    while True:
        found = [line for line in edge.logged() if line["request_id"] == request_id]
        if found:
            return found[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.promise("GW2")
def test_the_api_pages_come_from_the_gateway_alone(edge):
    page = edge.get("/docs", token=None)
    parts = [
        path
        for path in ("/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon.png")
        if path in page.text
    ]

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert len(parts) == 4
    assert "<script>" not in page.text
    assert "//" not in page.text.replace("<!doctype", "")
    for path in (*parts, "/openapi.json"):
        response = edge.get(path, token=None)
        assert (response.status_code, len(response.content) > 50) == (200, True), path
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
