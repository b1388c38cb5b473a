"""WebSockets through the gateway: who gets one, how many, and for how long."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

import gateway

pytestmark = pytest.mark.server

PATH = "/socket.io/?EIO=4&transport=websocket"


@contextmanager
def upgraded(edge, path: str = PATH) -> Iterator[socket.socket]:
    """A connection that has asked to become a WebSocket; the answer is not read yet."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as connection:
        connection.sendall(_upgrade(path))
        yield connection


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(4096).split()[1])


def echoed(connection: socket.socket, frame: bytes) -> bytes:
    connection.sendall(frame)
    return connection.recv(len(frame))


def test_a_websocket_passes_without_a_token_in_its_headers_to_the_upstream_of_its_own(edge_with):
    edge = edge_with(extra=("messaging-socket",))

    with upgraded(edge) as connection:
        assert status_of(connection) == 101
        assert echoed(connection, b"frame") == b"frame"
    assert edge.last_received("messaging-socket").path == PATH
    assert "x-request-id" in edge.last_received("messaging-socket").headers


def test_no_other_route_can_be_upgraded(edge):
    for path in ("/api/auth/sign-in", "/api/messages"):
        with upgraded(edge, path) as connection:
            assert status_of(connection) in {401, 403}


@pytest.mark.parametrize(("method", "headers"), [("GET", {}), ("POST", {}), ("GET", {"upgrade": "h2c"}), ("PUT", {})])
def test_on_the_sockets_path_nothing_but_a_websocket_reaches_the_socket_process(edge_with, method: str, headers: dict[str, str]):
    edge = edge_with(extra=("messaging-socket",))

    status = edge.request(method, "/socket.io/?EIO=4&transport=polling", token=None, headers=headers).status_code

    assert status in {403, 404}
    assert edge.upstreams["messaging-socket"].received == []


def test_a_socket_is_cut_when_nothing_has_passed_for_the_idle_time_and_lives_on_while_somebody_speaks(edge_with):
    edge = edge_with(extra=("messaging-socket",), sizes={"socket_idle_seconds": 2, "idle_seconds": 1})

    with upgraded(edge) as silent, upgraded(edge) as speaking:
        assert (status_of(silent), status_of(speaking)) == (101, 101)
        began = time.monotonic()
        while time.monotonic() - began < 5:
            assert echoed(speaking, b"ping") == b"ping"
            time.sleep(0.25)
        silent.settimeout(10)
        assert silent.recv(16) == b""


def test_who_opens_sockets_without_end_is_stopped_and_may_still_use_the_rest(edge_with):
    edge = edge_with(extra=("messaging-socket",), rate_factor=0.02)
    allowed = gateway.load_table().limits["sockets"].scaled(0.02).requests
    statuses = []

    for _ in range(allowed * 3):
        with upgraded(edge) as connection:
            statuses.append(status_of(connection))

    assert statuses[:allowed] == [101] * allowed
    assert statuses[-1] == 429
    assert edge.get("/api/messages").status_code == 200


def test_as_many_sockets_reach_their_upstream_as_the_gateway_takes_connections():
    document = yaml.safe_load(gateway.render(gateway.preset("local")))
    clusters = {cluster["name"]: cluster for cluster in document["static_resources"]["clusters"]}
    (limits,) = clusters["messaging-socket"]["circuit_breakers"]["thresholds"]
    capacity = gateway.load_table().capacity["connections"]

    assert limits["max_connections"] == limits["max_requests"] == capacity
    assert clusters["messaging-socket"]["per_connection_buffer_limit_bytes"] < 100_000
    assert clusters["messaging"]["circuit_breakers"]["thresholds"][0]["max_connections"] < capacity


def _upgrade(path: str) -> bytes:
    key = base64.b64encode(b"0123456789abcdef").decode()
    lines = [f"GET {path} HTTP/1.1", "Host: bloom", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Key: {key}", "", ""]).encode()
