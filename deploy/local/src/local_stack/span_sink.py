"""A collector of traces in this process: it takes OTLP over HTTP, as a real one does, and keeps what came for tests to ask."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from local_stack.ports import HOST

_TRACES = "/v1/traces"


class KeptSpan(NamedTuple):
    """A span as its process exported it; ids as hex digits, `parent_id` empty for a root."""

    process: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    """The traces that it is linked with."""


class SpanSink:
    """Listens on a free port until it is closed; `url` is what processes get as their OTLP endpoint."""

    def __init__(self) -> None:
        self._came: list[bytes] = []
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="span-sink", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening; what came is still there."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self) -> list[KeptSpan]:
        """Every span that has come so far."""
        return [span for resource in self._resources() for span in _spans_of(resource)]

    def trace(self, trace_id: str) -> list[KeptSpan]:
        """What has come of one trace so far."""
        return [span for span in self.spans() if span.trace_id == trace_id]

    def text(self) -> str:
        """All that has come as text: names, attributes, events, links and states, those of the resources included."""
        return "\n".join(str(resource) for resource in self._resources())

    def _resources(self) -> list[ResourceSpans]:
        return [resource for body in list(self._came) for resource in ExportTraceServiceRequest.FromString(body).resource_spans]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        came = self._came

        class Handler(BaseHTTPRequestHandler):
            # Exporters keep their connections.
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the name that http.server calls
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_known = self.path == _TRACES and self.headers["Content-Encoding"] is None
                if is_known:
                    came.append(body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200 if is_known else 404)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's signature
                """Say nothing per request."""

        return Handler


def _spans_of(resource: ResourceSpans) -> list[KeptSpan]:
    named = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    return [
        KeptSpan(
            named.get("service.name", ""),
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            tuple(link.trace_id.hex() for link in span.links),
        )
        for scope in resource.scope_spans
        for span in scope.spans
    ]
