"""Server-sent events and pages through the gateway: events are not held back, streams not cut, pages may run scripts."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

import gateway

pytestmark = pytest.mark.server

PATH = "/api/analytics/stream?metric=messages.sent"
EVENT = b"event: window\ndata: {}\n\n"


@contextmanager
def followed(edge, tls: ssl.SSLContext) -> Iterator[Iterator[bytes]]:
    """The chunks of a stream as they arrive."""
    headers = {"authorization": f"Bearer {edge.token()}"}
    with httpx.stream("GET", edge.url + PATH, headers=headers, timeout=10, verify=tls) as response:
        assert response.status_code == 200
        yield response.iter_raw()


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def test_an_event_arrives_before_the_next_one_is_sent(edge, tls):
    told = edge.upstreams["analytics"].told
    told.put(EVENT)

    with followed(edge, tls) as chunks:
        for _ in range(3):
            assert next(chunks) == EVENT
            told.put(EVENT)
        told.put(b"")
        assert list(chunks) == [EVENT]


def test_a_stream_outlives_the_time_limit_of_other_answers_and_is_cut_when_nothing_comes(edge_with, tls):
    edge = edge_with(timeout_seconds=1, sizes={"socket_idle_seconds": 2})
    told = edge.upstreams["analytics"].told
    began = time.monotonic()
    told.put(EVENT)

    with followed(edge, tls) as chunks:
        while time.monotonic() - began < 3.5:
            assert next(chunks) == EVENT
            time.sleep(0.5)
            told.put(EVENT)
        assert next(chunks) == EVENT
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)
    assert time.monotonic() - began > 5


def test_a_stream_needs_a_token(edge):
    assert edge.get(PATH, token=None).status_code == 401


def test_the_dashboard_needs_no_token_and_may_load_scripts_from_the_gateway_alone(edge):
    for path in ("/api/analytics/dashboard", "/api/analytics/dashboard/dashboard.js"):
        page = edge.get(path, token=None)

        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
    assert "script-src" not in edge.get("/api/analytics/metrics").headers["content-security-policy"]
    assert edge.get("/api/analytics/metrics", token=None).status_code == 401


def test_a_stream_that_is_a_socket_or_has_a_time_limit_is_refused():
    row = {"name": "x", "path": "/x", "upstream": "auth", "limit": "api", "stream": True}

    for wrong in ({"websocket": True}, {"timeout_seconds": 5}):
        with pytest.raises(ValueError, match="a stream is no socket and has no time limit"):
            gateway.Route(**row, **wrong)
