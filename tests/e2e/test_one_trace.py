"""One request can be followed through everything that it caused: one trace, one correlation, each event with its cause."""

import pytest
from tests.e2e.care import Care
from tests.e2e.kafka_log import Lying, about, read
from tests.e2e.people import Practice, book, eventually
from tests.e2e.traces import CLIENT, Told, astray, booking, crisis, spans_of

from local_stack.span_sink import KeptSpan, SpanSink

_BOOKED = ("appointments-api", "POST /api/appointments")
_BOOKING_SENT = ("appointments-relay", "send bloom.appointments.v1")
_DRAFTED = ("billing-worker", "handle appointment.booked.v1")
BOOKING = {
    (CLIENT, _BOOKED),
    (_BOOKED, _BOOKING_SENT),
    (_BOOKING_SENT, ("messaging-worker", "handle appointment.booked.v1")),
    (_BOOKING_SENT, ("notifications-worker", "handle appointment.booked.v1")),
    (_BOOKING_SENT, _DRAFTED),
    (_DRAFTED, ("billing-relay", "send bloom.invoices.v1")),
}
"""What a booking causes, call by call."""

_WRITTEN = ("messaging-api", "POST /api/messages")
_MESSAGE_SENT = ("messaging-relay", "send bloom.messages.v1")
_SCORED = ("ml-scoring-worker", "handle message.sent.v1")
_SCORE_SENT = ("ml-scoring-relay", "send bloom.risk-scores.v1")
_RAISED = ("notifications-worker", "handle risk.scored.v1")
_ALERT_SENT = ("notifications-relay", "send bloom.alerts.v1")
_HEARD = ("messaging-worker", "handle alert.raised.v1")
_PUSHED = ("messaging-socket", "push alert")
_PUSH_SENT = ("messaging-relay", "send bloom.alert-deliveries.v1")
CRISIS = {
    (CLIENT, _WRITTEN),
    (_WRITTEN, _MESSAGE_SENT),
    (_MESSAGE_SENT, _SCORED),
    (_SCORED, _SCORE_SENT),
    (_SCORE_SENT, _RAISED),
    (_RAISED, _ALERT_SENT),
    (_ALERT_SENT, _HEARD),
    (_HEARD, _PUSHED),
    (_PUSHED, _PUSH_SENT),
    (_PUSH_SENT, ("notifications-worker", "handle alert.pushed.v1")),
}
"""What a message in crisis causes, call by call."""


@pytest.mark.promise("PL18", "AP8", "OB4")
def test_a_booking_is_one_joined_trace_from_the_request_over_outbox_and_kafka_to_every_worker(
    practice: Practice, span_sink: SpanSink
) -> None:
    told = booking(practice)
    spans = spans_of(span_sink, told, BOOKING)
    kafka = practice.stack.kafka.bootstrap
    (drafted,) = about(read(kafka), "invoice.drafted.v1", told.ids["appointment"])
    (booked,) = about(read(kafka), "appointment.booked.v1", told.ids["appointment"])

    assert astray(spans, told) == []
    sent = {span.name: span.span_id for span in spans if span.name.startswith("send ")}
    assert booked.header("traceparent") == f"00-{told.trace_id}-{sent['send bloom.appointments.v1']}-01"
    assert drafted.header("traceparent") == f"00-{told.trace_id}-{sent['send bloom.invoices.v1']}-01"
    # Analytics takes whole fetches, which belong to no single request: their spans are linked with each of those they hold.
    eventually(lambda: [span for span in span_sink.spans() if span.process == "analytics-worker" and told.trace_id in span.links])


@pytest.mark.promise("PL18", "X3", "OB4")
def test_a_message_in_crisis_is_one_joined_trace_over_the_scorer_to_the_alert_and_to_the_socket_that_showed_it(
    practice: Practice, span_sink: SpanSink
) -> None:
    told = crisis(Care.of(practice))
    spans = spans_of(span_sink, told, CRISIS)
    records = read(practice.stack.kafka.bootstrap)
    scored = dict.fromkeys(("message.sent.v1", "risk.scored.v1"), told.ids["message"])
    events = {**scored, **dict.fromkeys(("alert.raised.v1", "alert.pushed.v1"), told.ids["alert"])}
    found = {kind: about(records, kind, identity)[0] for kind, identity in events.items()}

    assert astray(spans, told) == []
    assert {kind: each.header("traceparent").split("-")[1] for kind, each in found.items()} == dict.fromkeys(
        events, told.trace_id
    )
    assert {_correlation(each) for each in found.values()} == {_correlation(found["message.sent.v1"])}
    assert found["risk.scored.v1"].header("ce_causationid") == found["message.sent.v1"].header("ce_id")
    assert found["alert.raised.v1"].header("ce_causationid") == found["risk.scored.v1"].header("ce_id")
    assert found["alert.pushed.v1"].header("ce_causationid") == found["alert.raised.v1"].header("ce_id")


def test_a_span_that_lost_its_parent_is_called_astray() -> None:
    told = Told()
    whole = KeptSpan("appointments-api", "POST", told.trace_id, "b" * 16, told.client_span, ())
    lost = KeptSpan("billing-worker", "handle", told.trace_id, "c" * 16, "d" * 16, ())
    assert astray([whole], told) == []
    assert astray([whole, lost], told) == [("billing-worker", "handle")]


def test_correlation_and_cause_lead_from_the_invoice_back_to_the_request(practice: Practice) -> None:
    patient, therapist = practice.patient(), practice.therapist()
    appointment = book(patient, therapist)
    cancelled = patient.ask("POST", f"/api/appointments/{appointment['id']}/cancel")
    kafka = practice.stack.kafka.bootstrap
    (discarded,) = eventually(lambda: about(read(kafka), "invoice.discarded.v1", appointment["id"]))
    records = read(kafka)
    (event,) = about(records, "appointment.cancelled.v1", appointment["id"])
    (booked,) = about(records, "appointment.booked.v1", appointment["id"])
    (drafted,) = about(records, "invoice.drafted.v1", appointment["id"])

    assert _correlation(event) == _correlation(discarded) == cancelled.headers["x-request-id"]
    assert _correlation(booked) == _correlation(drafted) != _correlation(event)
    assert discarded.header("ce_causationid") == event.header("ce_id")
    assert drafted.header("ce_causationid") == booked.header("ce_id")
    assert {each.header("ce_tenantid") for each in (event, booked, discarded, drafted)} == {booked.header("ce_tenantid")}


def test_a_key_on_kafka_is_an_id_and_all_of_a_visit_lies_under_one(practice: Practice) -> None:
    patient, therapist = practice.patient(), practice.therapist()
    appointment = book(patient, therapist)
    therapist.post(f"/api/appointments/{appointment['id']}/confirm")
    kafka = practice.stack.kafka.bootstrap
    eventually(lambda: about(read(kafka), "appointment.confirmed.v1", appointment["id"]))
    keys = {each.key for each in read(kafka) if appointment["id"].encode() in (each.value or b"") and "appointment." in each.type}
    assert keys == {appointment["id"].encode()}


def _correlation(event: Lying) -> str:
    return event.header("ce_correlationid")
