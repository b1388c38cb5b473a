"""Who gets through the gateway, and to whom."""

from __future__ import annotations

import socket
import time
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey

import gateway

pytestmark = pytest.mark.server

PROTECTED = "/api/appointments"


def assert_problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Check that a response is the gateway's problem document of that status and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert (document["type"], document["status"]) == (f"urn:bloom:problem:{slug}", status)
    return document


@pytest.mark.promise("GW2")
@pytest.mark.promise("PL8")
@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/auth/me", "auth"),
        ("/api/users", "auth"),
        ("/api/users/018f", "auth"),
        ("/api/therapists/018f/slots?from=1", "appointments"),
        ("/api/appointments", "appointments"),
        ("/api/invoices/018f/pdf", "billing"),
        ("/api/conversations/018f/changes?after=7", "messaging"),
        ("/api/messages/018f", "messaging"),
        ("/api/attachments", "messaging"),
        ("/v1/predict", "ml-scoring"),
        ("/api/analyses?conversationId=018f", "ml-scoring"),
        ("/api/models/risk/1", "ml-scoring"),
        ("/api/alerts/018f/timeline", "notifications"),
        ("/api/notifications/preferences", "notifications"),
        ("/api/notifications/unsubscribe?token=1", "notifications"),
    ],
)
def test_each_group_of_paths_reaches_its_own_service(edge, path: str, service: str):
    response = edge.get(path)

    assert response.json() == {"service": service}
    assert edge.last_received(service).path == path


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/authx", "/api/message", "/v1", "/v1/predict/x", "/metrics", "/health/ready", "/admin", "/socket.io/"],
)
def test_a_path_outside_the_table_is_answered_404_without_asking_anybody(edge, path: str):
    before = sum(len(upstream.received) for upstream in edge.upstreams.values())

    assert_problem(edge.get(path, token=None), 404, "not-found")

    assert sum(len(upstream.received) for upstream in edge.upstreams.values()) == before


INTERNAL = [
    "/internal",
    "/internal/contacts/018f",
    "/internal/conversations/018f/keys/1",
    "//internal//contacts/018f",
    "/./internal/contacts/018f",
    "/api/../internal/contacts/018f",
    "/api/auth/sign-in/../../../internal/contacts/018f",
    "/api/messages/%2e%2e/%2E%2E/internal/conversations/018f/keys/1",
    "/api/conversations/../../internal/conversations/018f/keys/1",
    "/%69nternal/contacts/018f",
]


@pytest.mark.parametrize("path", INTERNAL)
def test_what_services_ask_each_other_is_not_there_for_anybody_outside_however_it_is_spelled(edge, path: str):
    before = sum(len(upstream.received) for upstream in edge.upstreams.values())

    statuses = {
        raw_status(edge, path),
        raw_status(edge, path, token=edge.token(aud="messaging")),
        raw_status(edge, path, token=edge.token()),
    }

    assert statuses == {404}
    assert sum(len(upstream.received) for upstream in edge.upstreams.values()) == before


@pytest.mark.promise("GW2")
def test_without_a_token_only_the_public_routes_answer(edge):
    table = gateway.load_table()
    for route in table.routes:
        if route.upstream not in edge.upstreams:
            continue
        status = edge.request("POST", route.path or f"{route.prefix}/x", token=None).status_code
        assert status == (200 if route.access == "public" else 401), route.name


def test_a_refusal_says_nothing_about_its_reason(edge):
    missing = edge.get(PROTECTED, token=None)
    expired = edge.get(PROTECTED, token=edge.token(exp=int(time.time()) - 3600))

    for response in (missing, expired):
        document = assert_problem(response, 401, "unauthorized")
        assert set(document) == {"type", "title", "status", "instance"}
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example.test"},
        {"aud": "other"},
        {"exp": 1},
        {"exp": None},
        {"nbf": 4_000_000_000},
    ],
)
def test_a_token_for_somebody_else_or_another_time_is_refused(edge, claims: dict[str, Any]):
    assert_problem(edge.get(PROTECTED, token=edge.token(**claims)), 401, "unauthorized")


def test_a_forged_token_is_refused_whatever_its_algorithm(edge):
    stranger = OKPKey.generate_key("Ed25519", {"kid": "first"})
    secret = OctKey.import_key(edge.key.as_dict(private=False)["x"], {"kid": "first"})
    other = ECKey.generate_key("P-256", {"kid": "first"})
    head, payload, _ = edge.token().split(".")

    tokens = [
        edge.token(key=stranger),
        edge.token(key=secret, algorithm="HS256"),
        edge.token(key=other, algorithm="ES256"),
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + payload + ".",
        f"{head}.{payload}.AAAA",
        "not.a.token",
        "x" * 4000,
    ]

    for token in tokens:
        assert_problem(edge.get(PROTECTED, token=token), 401, "unauthorized")


def test_the_service_receives_the_token_to_check_it_again(edge):
    token = edge.token()

    edge.get(PROTECTED, token=token)

    assert edge.last_received("appointments").headers["authorization"] == f"Bearer {token}"


def test_a_token_in_the_address_is_not_accepted(edge):
    assert_problem(edge.get(f"{PROTECTED}?access_token={edge.token()}", token=None), 401, "unauthorized")


def test_known_keys_go_on_working_while_auth_is_away(edge_with):
    edge = edge_with()
    edge.upstreams["auth"].stop()

    assert edge.get(PROTECTED).status_code == 200
    assert_problem(edge.get("/api/auth/me"), 503, "service-unavailable")


@pytest.mark.parametrize(
    "path",
    [
        "/docs/../api/appointments/x",
        "/docs/%2e%2e/api/appointments/x",
        "//api//appointments/x",
        "/api/auth/sign-in/../../appointments/x",
    ],
)
def test_other_spellings_of_a_protected_path_do_not_get_round_the_check(edge, path: str):
    assert raw_status(edge, path) == 401


@pytest.mark.parametrize(
    "path", ["/api/auth%2Fsign-in", "/api/auth/sign-in%2F..%2Fme", "/api%5Cappointments", "/api/appointments/%00"]
)
def test_an_escaped_slash_or_a_null_byte_is_refused(edge, path: str):
    assert raw_status(edge, path) == 400


def raw_status(edge, path: str, *, token: str = "") -> int:
    """The status of a GET whose path goes out exactly as written, without a token unless one is given."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bloom\r\n{bearer}Connection: close\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])
