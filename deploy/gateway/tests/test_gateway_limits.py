"""What the gateway refuses or cuts off, and what it does when a service fails."""

from __future__ import annotations

import socket
import time

import httpx
import pytest

import gateway

pytestmark = pytest.mark.server

SIZES = gateway.load_table().sizes


def slug(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json", response.text
    document = response.json()
    assert document["status"] == response.status_code
    return str(document["type"]).removeprefix("urn:bloom:problem:")


@pytest.mark.promise("CA1")
def test_sign_in_is_limited_per_client_address_long_before_the_rest(edge_with):
    edge = edge_with(trusted_hops=1)
    limit = gateway.load_table().limits["credentials"].requests
    first, second = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.2"}

    statuses = [edge.request("POST", "/api/auth/sign-in", token=None, headers=first).status_code for _ in range(limit + 15)]
    refused = edge.request("POST", "/api/auth/register", token=None, headers=first)

    assert statuses[:limit] == [200] * limit
    assert statuses[-1] == 429
    assert slug(refused) == "too-many-requests"
    assert int(refused.headers["retry-after"]) >= 1
    assert edge.request("POST", "/api/auth/sign-in", token=None, headers=second).status_code == 200
    assert edge.get("/api/appointments", headers=first).status_code == 200


@pytest.mark.promise("CA1")
def test_a_limit_gives_its_requests_back_over_time(edge_with):
    edge = edge_with(rate_factor=0.05)
    table = gateway.load_table()
    limit = table.limits["api"].scaled(0.05)

    # On a slow machine some are given back meanwhile.
    statuses = [edge.get("/api/appointments").status_code for _ in range(limit.requests * 3)]
    refused_at = time.monotonic()
    while edge.get("/api/appointments").status_code == 429:
        assert time.monotonic() < refused_at + 5

    assert 429 in statuses
    assert limit.fill_milliseconds == pytest.approx(1000)


def test_the_pages_are_limited_too(edge_with):
    edge = edge_with(rate_factor=0.01)

    statuses = [edge.get("/docs", token=None).status_code for _ in range(10)]

    assert statuses[:3] == [200] * 3
    assert statuses[-1] == 429


def test_a_client_cannot_choose_the_address_that_it_is_counted_under(edge_with):
    edge = edge_with()
    limit = gateway.load_table().limits["credentials"].requests

    statuses = [
        edge.request("POST", "/api/auth/sign-in", token=None, headers={"x-forwarded-for": f"192.0.2.{number}"}).status_code
        for number in range(limit + 15)
    ]

    assert statuses[-1] == 429


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_before_it_reaches_a_service(edge, chunked: bool):
    before = len(edge.upstreams["appointments"].received)
    body = b"x" * (SIZES["body_bytes"] + 1)

    response = edge.request("POST", "/api/appointments", content=iter([body]) if chunked else body)

    assert (response.status_code, slug(response)) == (413, "payload-too-large")
    assert len(edge.upstreams["appointments"].received) == before


def test_a_body_at_the_limit_passes_whole(edge):
    edge.request("POST", "/api/appointments", content=b"x" * SIZES["body_bytes"])

    assert len(edge.last_received("appointments").body) == SIZES["body_bytes"]


def test_a_route_with_a_limit_of_its_own_takes_bodies_up_to_that(edge):
    (route,) = [row for row in gateway.load_table().routes if row.name == "messages"]

    passed = edge.request("POST", "/api/messages", content=b"x" * route.body_bytes)
    refused = edge.request("POST", "/api/messages", content=b"x" * (route.body_bytes + 1))

    assert route.body_bytes > SIZES["body_bytes"]
    assert (passed.status_code, len(edge.last_received("messaging").body)) == (200, route.body_bytes)
    assert (refused.status_code, slug(refused)) == (413, "payload-too-large")


@pytest.mark.parametrize(
    "headers",
    [{"x-long": "a" * (SIZES["header_kilobytes"] * 1024)}, {f"x-{number}": "a" for number in range(SIZES["headers"] + 1)}],
)
def test_headers_over_the_limit_are_refused(edge, headers: dict[str, str]):
    response = edge.get("/api/appointments", headers=headers)

    assert (response.status_code, slug(response)) == (431, "headers-too-large")


def test_an_address_over_the_limit_is_refused(edge):
    longest = "/api/appointments?" + "a" * (SIZES["url_characters"] - len("/api/appointments?"))

    assert edge.get(longest).status_code == 200
    response = edge.get(longest + "a")
    assert (response.status_code, slug(response)) == (414, "uri-too-long")


@pytest.mark.parametrize(
    "request_text",
    [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "BREW /api/appointments HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /api/appointments HTTP/1.1\r\n\r\n",
        "GET /api/appointments HTTP/1.1\r\nHost: a\r\nx_user: 1\r\n\r\n",
        "POST /api/appointments HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "nonsense\r\n\r\n",
    ],
)
def test_a_broken_request_is_refused_and_its_connection_closed(edge, request_text: str):
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as connection:
        connection.sendall(request_text.encode())
        received = b""
        while data := connection.recv(4096):
            received += data

    assert received.split()[1] == b"400"


def test_a_service_that_is_too_slow_is_cut_off(edge_with):
    edge = edge_with(timeout_seconds=1)
    started = time.monotonic()

    response = edge.request("POST", "/api/invoices/slow-to-answer")

    assert (response.status_code, slug(response)) == (504, "gateway-timeout")
    assert time.monotonic() - started < 4
    assert len([one for one in edge.upstreams["billing"].received if one.path == "/api/invoices/slow-to-answer"]) == 1


def test_a_read_that_dies_is_sent_again(edge):
    edge.upstreams["billing"].deaths_left = 1

    response = edge.get("/api/invoices/dies")

    assert response.status_code == 200
    assert len([one for one in edge.upstreams["billing"].received if one.path == "/api/invoices/dies"]) == 2


def test_a_write_that_may_have_arrived_is_never_sent_again(edge):
    edge.upstreams["appointments"].deaths_left = 1

    response = edge.request("POST", "/api/appointments/dies-once")
    edge.upstreams["appointments"].deaths_left = 0

    assert (response.status_code, slug(response)) == (503, "service-unavailable")
    assert len([one for one in edge.upstreams["appointments"].received if one.path == "/api/appointments/dies-once"]) == 1


@pytest.mark.promise("GW2")
def test_one_service_down_leaves_the_others_and_is_told_by_health(edge_with):
    edge = edge_with()
    billing = edge.upstreams["billing"]
    port = billing.port
    billing.stop()

    response = edge.get("/api/invoices")
    assert (response.status_code, slug(response)) == (503, "service-unavailable")
    assert response.headers["retry-after"] == "1"
    assert edge.get("/api/appointments").status_code == 200
    _wait_for(edge, "/health", 503)
    assert edge.get("/health/live", token=None).json() == {"status": "live"}

    billing.start(port)
    _wait_for(edge, "/health", 200)
    assert edge.get("/api/invoices").status_code == 200


def _wait_for(edge, path: str, status: int) -> None:
    deadline = time.monotonic() + 15
    while edge.get(path, token=None).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)
