"""One request can be followed through everything that it caused: one trace, one correlation, each event with its cause."""

import secrets

import pytest
from tests.e2e.care import DESPAIR, Care, heard_alert, lines_of
from tests.e2e.kafka_log import Lying, about, read
from tests.e2e.people import Practice, book, eventually


@pytest.mark.promise("PL18")
@pytest.mark.promise("AP8")
def test_the_trace_of_a_booking_is_in_its_event_and_in_the_event_that_billing_made_of_it(practice: Practice) -> None:
    patient, therapist = practice.patient(), practice.therapist()
    trace = secrets.token_hex(16)
    appointment = book(patient, therapist, Traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    kafka = practice.stack.kafka.bootstrap
    (drafted,) = eventually(lambda: about(read(kafka), "invoice.drafted.v1", appointment["id"]))
    (booked,) = about(read(kafka), "appointment.booked.v1", appointment["id"])

    assert booked.header("traceparent").split("-")[1] == trace
    assert drafted.header("traceparent").split("-")[1] == trace


@pytest.mark.promise("PL18")
@pytest.mark.promise("X3")
def test_the_trace_of_a_message_leads_over_the_scorer_to_the_alert_and_to_the_socket_that_showed_it(practice: Practice) -> None:
    care, trace = Care.of(practice), secrets.token_hex(16)
    kafka = practice.stack.kafka.bootstrap
    with lines_of(care.therapist) as (therapist,):
        body = {"conversationId": care.conversation, "body": DESPAIR}
        traced = {"Traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
        message = care.patient.must("POST", "/api/messages", body, **traced)["message"]
        alert_id = heard_alert(therapist, care, "raised").data["alertId"]
        care.therapist.post(f"/api/alerts/{alert_id}/acknowledge")
    eventually(lambda: about(read(kafka), "alert.pushed.v1", alert_id))
    records = read(kafka)
    scored = dict.fromkeys(("message.sent.v1", "risk.scored.v1"), message["id"])
    events = {**scored, **dict.fromkeys(("alert.raised.v1", "alert.pushed.v1"), alert_id)}
    found = {kind: about(records, kind, identity)[0] for kind, identity in events.items()}

    assert {kind: each.header("traceparent").split("-")[1] for kind, each in found.items()} == dict.fromkeys(events, trace)
    assert {_correlation(each) for each in found.values()} == {_correlation(found["message.sent.v1"])}
    assert found["risk.scored.v1"].header("ce_causationid") == found["message.sent.v1"].header("ce_id")
    assert found["alert.raised.v1"].header("ce_causationid") == found["risk.scored.v1"].header("ce_id")
    assert found["alert.pushed.v1"].header("ce_causationid") == found["alert.raised.v1"].header("ce_id")


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
