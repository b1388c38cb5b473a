"""What a process tells Prometheus: plain text for who asks for no more, and OpenMetrics with exemplars that lead to traces."""

import httpx
import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context, use_span
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from service_kit import metrics
from service_kit.health import Health
from service_kit.probe import probe_server
from service_kit.tracing import recorded_trace_of

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
KEPT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def exemplars(text: str, name: str) -> list[dict[str, str]]:
    """The labels of the exemplars of a histogram."""
    families = [family for family in text_string_to_metric_families(text) if family.name == name]
    return [sample.exemplar.labels for family in families for sample in family.samples if sample.exemplar]


def test_a_request_in_a_recorded_trace_leaves_the_trace_beside_its_bucket():
    opened = TracerProvider().get_tracer("test").start_span("request")
    token = context.attach(set_span_in_context(opened))
    metrics.http_request("GET", "/exemplar/{id}", 200)[1](0.3, metrics.exemplar())
    context.detach(token)

    trace_id = f"{opened.get_span_context().trace_id:032x}"
    text = metrics.render(OPEN_METRICS)[0].decode()
    assert {"trace_id": trace_id} in exemplars(text, "bloom_http_request_seconds")


def test_a_trace_that_is_kept_nowhere_is_pointed_to_by_nothing():
    unsampled = SpanContext(trace_id=1, span_id=1, is_remote=False, trace_flags=TraceFlags(TraceFlags.DEFAULT))
    with use_span(NonRecordingSpan(unsampled)):
        assert metrics.exemplar() is None
    assert metrics.exemplar() is None


def test_the_age_of_an_event_points_to_the_trace_that_the_event_came_with():
    metrics.event_age("exemplar-test", "appointment.booked.v1")(0.3, metrics.exemplar_of(KEPT))

    text = metrics.render(OPEN_METRICS)[0].decode()
    assert {"trace_id": "0af7651916cd43dd8448eb211c80319c"} in exemplars(text, "bloom_event_age_seconds")


@pytest.mark.parametrize("traceparent", [None, "", "x", KEPT[:-1] + "0", KEPT[:-3], "-" * 3])
def test_what_was_not_recorded_or_cannot_be_read_is_no_exemplar(traceparent: str | None):
    assert recorded_trace_of(traceparent) is None


def test_who_does_not_ask_for_exemplars_gets_plain_text_without_them():
    metrics.event_age("exemplar-test", "appointment.booked.v1")(0.3, metrics.exemplar_of(KEPT))

    text, content_type = metrics.render("text/plain;version=0.0.4")
    assert content_type.startswith("text/plain")
    assert "0af7651916cd43dd8448eb211c80319c" not in text.decode()


def test_no_series_says_when_a_counter_was_made():
    metrics.http_request("GET", "/exemplar/{id}", 200)[0]()

    assert "_created" not in metrics.render()[0].decode()
    assert "_created" not in metrics.render(OPEN_METRICS)[0].decode()


async def test_a_process_without_an_api_speaks_openmetrics_with_who_accepts_it():
    async with (
        probe_server(Health({}), host="127.0.0.1", port=0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answer = await client.get("/metrics", headers={"Accept": OPEN_METRICS})
        plain = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    assert plain.headers["content-type"].startswith("text/plain")
