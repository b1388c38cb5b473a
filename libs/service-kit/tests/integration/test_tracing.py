"""One trace from the request to the outbox row, and spans at the collector where one is set."""

import queue
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import httpx
import pytest
from opentelemetry.trace import SpanKind

from service_kit.outbox import unpack_headers
from service_kit.testing import recorded_spans

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def collector() -> Iterator[tuple[str, "queue.Queue[str]"]]:
    """An OTLP collector's address, and the paths and content types of what it gets."""
    received: queue.Queue[str] = queue.Queue()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            received.put(f"{self.path} {self.headers['Content-Type']}")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_event_of_a_request_carries_the_requests_trace(live, issuer, relay_pool):
    spans = recorded_spans()
    headers = {**issuer.headers(role="PATIENT", tenant_id=uuid4()), "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    note = (await live.post("/notes", json={"text": "a"}, headers=headers)).json()
    row = await relay_pool.fetchrow("select headers from outbox where key = $1", note["id"].encode())
    (served,) = [span for span in spans.get_finished_spans() if f"{span.context.trace_id:032x}" == TRACE]
    assert dict(unpack_headers(row["headers"]))["traceparent"] == f"00-{TRACE}-{served.context.span_id:016x}-01"
    assert f"{served.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert served.kind is SpanKind.SERVER
    assert served.name == "POST /notes"
    assert served.attributes == {"http.request.method": "POST", "http.route": "/notes", "http.response.status_code": 201}


async def test_a_span_names_the_route_and_never_the_path(live, issuer):
    spans = recorded_spans()
    await live.get("/notes/robin@example.test?mail=robin@example.test")
    written = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "/notes/{note_id}" in written
    assert "robin" not in written


def test_spans_reach_the_collector_before_the_process_ends(start, collector):
    address, received = collector
    process = start(SAMPLE_OTLP_ENDPOINT=address)
    process.wait_for("Uvicorn running")
    assert httpx.get(f"http://127.0.0.1:{process.port}/nowhere").status_code == 404
    process.child.send_signal(signal.SIGTERM)
    assert process.end() == 0
    assert received.get(timeout=5) == "/v1/traces application/x-protobuf"
