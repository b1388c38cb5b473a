"""Tracing: one trace through HTTP, outbox, Kafka and consumer by W3C `traceparent`, exported only where a setting says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import islice

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
_IDS = RandomIdGenerator()
# What the SDK keeps of a span's links; looking at more of a fetch would be work for nothing.
_MOST_LINKS = 128

# A `traceparent` is version, trace, span and flags; the last bit of the flags says that the trace is recorded.
_PARTS = 4
_SAMPLED = frozenset("13579bdf")


def configure_tracing(*, service_name: str, otlp_endpoint: str | None) -> TracerProvider | None:
    """Sends this process's spans to an OTLP/HTTP collector; without an endpoint nothing is recorded and only the ids travel."""
    if otlp_endpoint is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return export_spans(OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces"), service_name=service_name)


def export_spans(exporter: SpanExporter, *, service_name: str) -> TracerProvider:
    """Makes this process record its spans and hand them to `exporter`; call it once per process."""
    provider = TracerProvider(resource=Resource.create({"service.name": service_name}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def current_traceparent() -> str | None:
    """The `traceparent` of the span that is open now, or None outside of one."""
    return _traceparent_of(trace.get_current_span().get_span_context())


def current_trace_id() -> str | None:
    """The id of the trace that is open now, as 32 hex digits, or None outside of one."""
    current = trace.get_current_span().get_span_context()
    return f"{current.trace_id:032x}" if current.is_valid else None


def recorded_trace_id() -> str | None:
    """The id of the trace that is open now if its spans are kept somewhere, else None."""
    current = trace.get_current_span().get_span_context()
    return f"{current.trace_id:032x}" if current.is_valid and current.trace_flags.sampled else None


def recorded_trace_of(traceparent: str | None) -> str | None:
    """The trace id in a `traceparent` whose sender keeps its spans somewhere, else None."""
    parts = traceparent.split("-") if traceparent else []
    return parts[1] if len(parts) == _PARTS and parts[3][-1:] in _SAMPLED else None


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    traceparent: str | None = None,
    attributes: Mapping[str, str | int | bool] | None = None,
) -> Iterator[Span]:
    """Opens a span: a child of a readable `traceparent`, else of the open span, else the root of a new trace.

    It always has valid ids, so that answers and logs can name a trace even where nothing is exported.
    """
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    opened = _with_ids(_tracer().start_span(name, context=parent, kind=kind, attributes=attributes))
    token = context.attach(trace.set_span_in_context(opened))
    try:
        yield opened
    finally:
        context.detach(token)
        opened.end()


def started_span(name: str, *, kind: SpanKind = SpanKind.INTERNAL, traceparent: str | None = None) -> tuple[Span, str | None]:
    """A span with its own `traceparent` that is not the open one: one of several beside each other. Whoever asked ends it."""
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    started = _with_ids(_tracer().start_span(name, context=parent, kind=kind))
    return started, _traceparent_of(started.get_span_context())


def link(opened: Span, traceparents: Iterable[str]) -> None:
    """Links a span that is recorded with the traces of everything that is handled in it at once, the first 128 at most."""
    if not opened.is_recording():
        return
    for traceparent in islice(traceparents, _MOST_LINKS):
        found = trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent})).get_span_context()
        if found.is_valid:
            opened.add_link(found)


@cache
def _tracer() -> Tracer:
    """Asked for once: looking the provider up anew took 7 us per span. It turns to a provider that is set later by itself."""
    return trace.get_tracer("service_kit")


def _traceparent_of(found: SpanContext) -> str | None:
    if not found.is_valid:
        return None
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"


def _with_ids(started: Span) -> Span:
    if started.get_span_context().is_valid:
        return started
    return NonRecordingSpan(
        SpanContext(_IDS.generate_trace_id(), _IDS.generate_span_id(), is_remote=False, trace_flags=TraceFlags(0))
    )
