"""Producer spans of the relay: each sent row is a child of the request that wrote it, and the parent of who reads it."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service_kit.outbox import unpack_headers
from service_kit.relay.rows import OutboxRow

_PROPAGATOR = TraceContextTextMapPropagator()


class ProducerSpans:
    """Opens a span per row while the process records spans at all; they last until the acknowledgement."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self.are_recorded = tracer is not None or isinstance(trace.get_tracer_provider(), TracerProvider)
        self._tracer = tracer or trace.get_tracer("service_kit.relay")
        self._open: list[Span] = []

    def headers_of(self, row: OutboxRow) -> dict[str, str]:
        """Return the row's headers with the new span as `traceparent`."""
        headers = unpack_headers(row[3])
        span = self._tracer.start_span(
            f"send {row[1]}",
            context=_PROPAGATOR.extract(headers),
            kind=SpanKind.PRODUCER,
            attributes={"messaging.system": "kafka", "messaging.destination.name": row[1]},
        )
        _PROPAGATOR.inject(headers, trace.set_span_in_context(span))
        self._open.append(span)
        return headers

    def end(self) -> None:
        """End the spans of everything sent so far."""
        for span in self._open:
            span.end()
        self._open.clear()
