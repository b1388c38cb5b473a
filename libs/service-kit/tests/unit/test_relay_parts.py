"""The relay's parts that need no server: failpoints, held topics, headers, spans."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from service_kit.outbox import pack_headers, unpack_headers
from service_kit.relay.failpoints import armed
from service_kit.relay.holding import HeldTopics
from service_kit.relay.rows import OutboxRow
from service_kit.relay.spans import ProducerSpans


def test_a_failpoint_is_inert_outside_the_test_environment():
    passing = armed("production", {"RELAY_FAILPOINT": "after-ack"})
    assert passing("after-ack") is None


def test_an_unknown_failpoint_is_refused():
    with pytest.raises(ValueError, match="after-delete"):
        armed("test", {"RELAY_FAILPOINT": "after-lunch"})


def test_a_failpoint_that_was_not_chosen_is_passed():
    passing = armed("test", {"RELAY_FAILPOINT": "after-ack:2"})
    assert passing("after-produce") is None
    assert passing("after-ack") is None


def test_a_missing_topic_is_held_until_it_exists_and_given_up_after_the_grace():
    now = [0.0]
    held = HeldTopics(["a", "b"], 10.0, clock=lambda: now[0])
    held.hold(["b"])
    assert (held.sendable, held.missing, held.waiting) == (["a"], ["b"], ["b"])
    now[0] = 11.0
    assert (held.sendable, held.missing, held.waiting) == (["a"], ["b"], [])
    held.release(["a", "b"])
    assert (held.sendable, held.missing) == (["a", "b"], [])


def test_headers_come_back_as_they_were_packed():
    headers = [("ce_id", b"1"), ("ce_type", "naïve\n".encode())]
    assert unpack_headers(pack_headers(headers)) == {"ce_id": "1", "ce_type": "naïve\n"}


def test_a_sent_row_is_a_child_of_the_request_that_wrote_it():
    packed = pack_headers([("ce_id", b"1"), ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01".encode())])
    row = OutboxRow(1, "sample.notes.v1", b"k", packed, b"{}", 0)
    spans = ProducerSpans(TracerProvider().get_tracer("test"))
    headers = spans.headers_of(row)
    spans.end()
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, flags, headers["ce_id"]) == ("00", "a" * 32, "01", "1")
    assert span_id != "b" * 16


def test_spans_cost_nothing_where_none_are_recorded():
    assert isinstance(trace.get_tracer_provider(), TracerProvider) == ProducerSpans().are_recorded
