"""Writing: an event becomes a Kafka record in CloudEvents' binary mode."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar
from uuid import uuid4

import pytest
from asyncpg.pgproto import pgproto
from pydantic import BaseModel

from bloom_events.auth import Role, UserSuspended
from bloom_events.envelope import KafkaMessage, to_kafka, wrap
from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId, UserId, new_id
from bloom_events.registry import unwrap
from bloom_events.topics import USERS, Topic

NOON = datetime(2026, 11, 16, 12, 0, 0, 123456, tzinfo=UTC)
TENANT = TenantId(new_id())
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SUSPENDED = UserSuspended(user_id=UserId(new_id()), role=Role.PATIENT)


def sent(event: Event = SUSPENDED, **changes: object) -> KafkaMessage:
    arguments = {"source": "/bloom/auth", "tenant_id": TENANT, "time": NOON, "correlation_id": new_id()}
    return to_kafka(wrap(event, **(arguments | changes)))


def test_a_record_lies_on_its_topic_under_the_aggregates_id_at_the_events_own_time():
    record = sent()
    assert record.topic == "bloom.users.v1"
    assert record.key == str(SUSPENDED.user_id).encode()
    assert record.timestamp_ms == 1_794_830_400_123


def test_the_attributes_travel_as_ce_headers_and_the_trace_context_as_its_own():
    event_id, correlation_id, causation_id = EventId(new_id()), new_id(), new_id()
    record = sent(event_id=event_id, correlation_id=correlation_id, causation_id=causation_id, traceparent=TRACE)
    assert {name: raw.decode() for name, raw in record.headers} == {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_type": "user.suspended.v1",
        "ce_source": "/bloom/auth",
        "ce_subject": str(SUSPENDED.user_id),
        "ce_time": "2026-11-16T12:00:00.123456Z",
        "ce_tenantid": str(TENANT),
        "ce_correlationid": str(correlation_id),
        "ce_causationid": str(causation_id),
        "content-type": "application/json",
        "traceparent": TRACE,
    }


def test_extension_attributes_are_named_as_cloudevents_allows():
    names = [name.removeprefix("ce_") for name, _ in sent(causation_id=new_id()).headers if name.startswith("ce_")]
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in names)


def test_the_body_is_the_events_fields_as_json():
    assert json.loads(sent().value) == {"user_id": str(SUSPENDED.user_id), "role": "PATIENT"}


def test_without_cause_and_trace_there_are_no_headers_for_them():
    assert {"ce_causationid", "traceparent"}.isdisjoint(name for name, _ in sent().headers)


@pytest.mark.parametrize(
    "trace", ["", "00-zz-01", TRACE + "\r\nx: y", TRACE.replace("00-", "ff-", 1), f"00-{'0' * 32}-00f067aa0ba902b7-01"]
)
def test_a_malformed_trace_context_is_left_out(trace):
    assert "traceparent" not in dict(sent(traceparent=trace).headers)


@pytest.mark.parametrize("source", ["", "bloom", "/bloom auth", "/bloom\r\nce_type: x", "/bloöm", "/" + "a" * 300])
def test_a_source_that_is_no_path_is_refused(source):
    with pytest.raises(ValueError, match="path"):
        sent(source=source)


@pytest.mark.parametrize("time", [datetime(2026, 11, 16), datetime(1969, 12, 31, tzinfo=UTC)])  # noqa: DTZ001  # naive on purpose
def test_a_naive_time_and_one_before_kafkas_first_timestamp_are_refused(time):
    with pytest.raises(ValueError, match="time"):
        sent(time=time)


def test_a_time_with_an_offset_is_sent_in_utc():
    record = sent(time=NOON.astimezone(timezone(timedelta(hours=-5))))
    assert dict(record.headers)["ce_time"] == b"2026-11-16T12:00:00.123456Z"
    assert record.timestamp_ms == 1_794_830_400_123


def test_two_envelopes_of_one_event_have_different_ids():
    assert dict(sent().headers)["ce_id"] != dict(sent().headers)["ce_id"]


def test_ids_of_the_database_driver_are_written_like_any_other():
    driver_id = UserId(pgproto.UUID(str(uuid4())))
    record = sent(UserSuspended(user_id=driver_id, role=Role.THERAPIST))
    assert json.loads(record.value)["user_id"] == str(driver_id)
    assert unwrap(record.headers, record.value).data.aggregate_id == driver_id


class Part(BaseModel):
    """A part of an event."""

    name: str


class Nested(Event):
    """An event with parts and something that JSON has no word for."""

    TYPE: ClassVar[str] = "nested.happened.v1"
    TOPIC: ClassVar[Topic] = USERS
    KEY: ClassVar[str] = "user_id"

    user_id: UserId
    parts: tuple[Part, ...]
    odd: complex = 0j


def test_parts_of_an_event_are_written_as_objects_and_what_json_cannot_hold_is_refused():
    event = Nested(user_id=UserId(new_id()), parts=(Part(name="a"),))
    with pytest.raises(TypeError, match="complex"):
        sent(event)
    plain = event.model_copy(update={"odd": None})
    assert json.loads(sent(plain).value)["parts"] == [{"name": "a"}]
