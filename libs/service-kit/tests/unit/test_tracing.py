"""Traces: every piece of work has ids, and a `traceparent` joins work in different processes."""

from opentelemetry.trace import SpanKind

from service_kit.tracing import current_trace_id, current_traceparent, span

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_there_is_no_trace_outside_of_a_span():
    assert current_traceparent() is None
    assert current_trace_id() is None


def test_a_span_without_a_parent_begins_a_trace_of_its_own():
    with span("one"):
        first = current_trace_id()
    with span("two"):
        second = current_trace_id()
    assert first
    assert second
    assert first != second


def test_a_span_goes_on_with_the_trace_it_was_given():
    with span("request", kind=SpanKind.SERVER, traceparent=GIVEN):
        assert current_trace_id() == "0af7651916cd43dd8448eb211c80319c"
        assert (current_traceparent() or "").startswith("00-0af7651916cd43dd8448eb211c80319c-")


def test_a_span_within_a_span_stays_in_its_trace():
    with span("outer"):
        outer = current_trace_id()
        with span("inner"):
            assert current_trace_id() == outer
        assert current_trace_id() == outer


def test_an_unreadable_traceparent_begins_a_new_trace():
    for broken in ("", "x", "00-" + "0" * 32 + "-b7ad6b7169203331-01", GIVEN[:-1], "00-robin@example.test"):
        with span("request", traceparent=broken):
            trace_id = current_trace_id()
        assert trace_id is not None
        assert int(trace_id, 16) != 0
