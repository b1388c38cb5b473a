"""Reading: what lies on a topic is an envelope, of an unknown type, or unreadable for a reason that repeats nothing."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bloom_events.auth import Role, UserRegistered
from bloom_events.envelope import Envelope, KafkaMessage, to_kafka, wrap
from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId, UserId, new_id
from bloom_events.registry import EVENT_TYPES, MAX_EVENT_BYTES, UnknownEventType, UnreadableEvent, unwrap

REGISTERED = UserRegistered(user_id=UserId(new_id()), role=Role.PATIENT, status="active")
ENVELOPE = wrap(
    REGISTERED,
    source="/bloom/auth",
    tenant_id=TenantId(new_id()),
    time=datetime(2026, 11, 16, 12, tzinfo=UTC),
    correlation_id=new_id(),
    causation_id=new_id(),
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)
RECORD = to_kafka(ENVELOPE)
SECRET = "robin@example.test"


def with_header(name: str, raw: bytes | None) -> list[tuple[str, bytes | None]]:
    return [*((key, kept) for key, kept in RECORD.headers if key != name), (name, raw)]


def without_header(name: str) -> list[tuple[str, bytes]]:
    return [(key, raw) for key, raw in RECORD.headers if key != name]


def body(**changes: object) -> bytes:
    return json.dumps(json.loads(RECORD.value) | changes).encode()


def reason(headers: Any, value: Any) -> str:  # Any: whatever a topic may hold
    with pytest.raises(UnreadableEvent) as caught:
        unwrap(headers, value)
    assert SECRET not in caught.value.reason
    assert len(caught.value.reason) < 100
    return caught.value.reason


def values_of(schema: dict[str, Any], parts: dict[str, Any]) -> st.SearchStrategy[Any]:
    """JSON values that a field's schema allows; `parts` are the schemas that it may refer to."""
    schema = {**parts.get(schema.get("$ref", "")[8:], {}), **schema}
    if "anyOf" in schema:
        return st.one_of([values_of(choice, parts) for choice in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    if "items" in schema:
        return st.lists(values_of(schema["items"], parts), max_size=min(3, schema.get("maxItems", 3)))
    if "properties" in schema:
        return st.fixed_dictionaries({name: values_of(part, parts) for name, part in schema["properties"].items()})
    if "patternProperties" in schema:
        ((names, values),) = schema["patternProperties"].items()
        keys = values_of({"pattern": names, "maxLength": 10}, parts)
        return st.dictionaries(keys, values_of(values, parts), max_size=schema.get("maxProperties", 3))
    if "pattern" in schema:
        longest = schema.get("maxLength", 3)
        return st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: len(text) <= longest)
    formats = {
        "uuid": st.uuids().map(str),
        "date": st.dates().map(str),
        "date-time": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
        "boolean": st.booleans(),
        "null": st.none(),
        "integer": st.integers(schema.get("minimum"), schema.get("maximum")),
        "number": st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False),
    }
    return formats[schema.get("format", schema["type"])]


def bodies_of(event: type[Event]) -> st.SearchStrategy[Event]:
    schema = event.model_json_schema()
    fields = {name: values_of(part, schema.get("$defs", {})) for name, part in schema["properties"].items()}
    optional = {name: values for name, values in fields.items() if name not in schema["required"]}
    required = {name: values for name, values in fields.items() if name in schema["required"]}
    texts = st.fixed_dictionaries(required, optional=optional).map(json.dumps)
    return texts.map(lambda text: event.model_validate_json(text, strict=True))


# Any event that the schemas allow, read as a consumer reads it.
events = st.one_of([bodies_of(event) for event in EVENT_TYPES.values()])
traces = st.none() | st.from_regex(r"00-[1-9a-f][0-9a-f]{31}-[1-9a-f][0-9a-f]{15}-0[01]", fullmatch=True)


@given(events, st.uuids(), st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)), st.none() | st.uuids(), traces)  # noqa: DTZ001  # bounds are naive by its rule
def test_every_event_that_its_schema_allows_is_read_as_it_was_written(event, some_id, time, causation_id, trace):
    written = wrap(
        event,
        source="/bloom/x",
        tenant_id=TenantId(some_id),
        time=time,
        correlation_id=some_id,
        causation_id=causation_id,
        traceparent=trace,
    )
    record = to_kafka(written)
    assert unwrap(record.headers, record.value) == written
    assert len(record.value) <= MAX_EVENT_BYTES


def test_a_reader_ignores_fields_and_headers_of_a_newer_writer():
    read = unwrap([*RECORD.headers, ("ce_partitionkey", b"x"), ("x-later", b"\xff")], body(nickname="x", more={"a": [1]}))
    assert read == ENVELOPE


def test_an_older_record_without_a_later_optional_field_is_read():
    priced = {
        "invoice_id": str(new_id()),
        "appointment_id": str(new_id()),
        "patient_id": str(new_id()),
        "therapist_id": str(new_id()),
    }
    priced |= {"currency": "EUR", "net_minor": 1, "tax_minor": 0, "total_minor": 1, "reason": "duplicate"}
    headers = [(k, v) for k, v in with_header("ce_type", b"invoice.voided.v1") if k != "ce_subject"]
    read = unwrap([*headers, ("ce_subject", priced["invoice_id"].encode())], json.dumps(priced).encode())
    assert read.data.model_dump()["number"] is None


@pytest.mark.parametrize("wire_type", ["user.registered.v2", "letter.sent.v1", "a.b.v99"])
def test_a_type_that_nobody_here_knows_is_told_apart_from_a_broken_record(wire_type):
    with pytest.raises(UnknownEventType) as caught:
        unwrap(with_header("ce_type", wire_type.encode()), b"\x00 not even JSON")
    assert caught.value.type == wire_type


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        None,
        b"user.registered",
        b"User.Registered.v1",
        b"a.b.v1\n",
        b"x" * 2_000,
        b"a." * 200 + b"b.v1",
        b"\xff",
        SECRET.encode(),
    ],
)
def test_a_malformed_type_makes_a_record_unreadable(raw):
    assert "ce_type" in (found := reason(with_header("ce_type", raw), RECORD.value)) or "attribute" in found


@pytest.mark.parametrize("name", [n for n, _ in RECORD.headers if n not in {"content-type", "ce_causationid", "traceparent"}])
def test_a_record_that_lacks_an_attribute_is_unreadable(name):
    assert name in reason(without_header(name), RECORD.value)


@pytest.mark.parametrize("name", ["content-type", "ce_causationid", "traceparent"])
def test_a_record_that_lacks_an_optional_attribute_is_read(name):
    assert unwrap(without_header(name), RECORD.value).data == REGISTERED


@pytest.mark.parametrize("name", [n for n, _ in RECORD.headers if n != "traceparent"])
@pytest.mark.parametrize(
    "raw", [b"", None, b"\r\nce_type: user.suspended.v1", b"\xff\xfe", b"\x00", SECRET.encode(), b"a" * 100_000]
)
def test_a_record_with_a_broken_attribute_is_unreadable(name, raw):
    assert reason(with_header(name, raw), RECORD.value)


@pytest.mark.parametrize("name", [n for n, _ in RECORD.headers if n != "traceparent"])
def test_an_attribute_that_comes_twice_is_not_guessed_at(name):
    assert reason([*RECORD.headers, (name, dict(RECORD.headers)[name])], RECORD.value) == "an attribute comes twice"


@pytest.mark.parametrize("raw", [b"", None, b"\xff", b"00-x-y-01", b"0" * 1_000_000])
def test_a_broken_trace_context_starts_a_new_trace_and_loses_no_event(raw):
    assert unwrap(with_header("traceparent", raw), RECORD.value) == replace(ENVELOPE, traceparent=None)


@pytest.mark.parametrize("value", ["{0}", "urn:uuid:{0}", "{{{0}}}", "{0} ", "{0}0"])
def test_ids_of_the_envelope_have_exactly_one_spelling(value):
    spelled = value.format(str(ENVELOPE.id).upper()).encode()
    assert "ce_id" in reason(with_header("ce_id", spelled), RECORD.value)


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-16",
        "2026-11-16T12:00:00",
        "1969-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1700000000",
        "2026-W01-1T00:00:00Z",
        "\N{FULLWIDTH DIGIT TWO}026-11-16T12:00:00Z",
        "2026-11-16T12:00:00+99:99",
    ],
)
def test_a_time_that_is_none_or_outside_kafkas_is_unreadable(time):
    assert "ce_time" in reason(with_header("ce_time", time.encode()), RECORD.value)


@pytest.mark.parametrize("content_type", [b"application/cloudevents+json", b"text/plain", b"application/avro"])
def test_a_body_of_another_content_type_is_unreadable(content_type):
    assert "content-type" in reason(with_header("content-type", content_type), RECORD.value)


def test_a_charset_beside_the_content_type_changes_nothing():
    assert unwrap(with_header("content-type", b"Application/JSON; charset=utf-8"), RECORD.value) == ENVELOPE


def test_a_record_of_another_aggregate_than_its_body_names_is_unreadable():
    assert "ce_subject" in reason(RECORD.headers, body(user_id=str(new_id())))


@pytest.mark.parametrize("headers", [None, [], ()])
def test_a_record_without_headers_is_unreadable(headers):
    assert reason(headers, RECORD.value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{",
        b"{}",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"x" * (MAX_EVENT_BYTES + 1),
        body(role=SECRET),
        body(user_id=SECRET),
        body(user_id=1),
        body(role=None),
        body(status=["active"]),
        body(user_id={SECRET: SECRET}),
        body(role="\x00"),
        b'{"user_id": "\\ud800"}',
        b'{"user_id": ' + b"9" * 20_000 + b"}",
        b"NaN",
    ],
)
def test_a_broken_body_is_unreadable(value):
    assert reason(RECORD.headers, value)


def test_the_reason_names_the_field_and_the_rule():
    assert reason(RECORD.headers, body(role=SECRET)) == "role: enum"
    assert reason(RECORD.headers, body(user_id=None)) == "user_id: uuid_type"


@pytest.mark.parametrize("revision", ['"1"', "1.0", "true", "0", "1" + "0" * 100], ids=["text", "float", "bool", "zero", "huge"])
def test_numbers_are_numbers_and_stay_within_their_bounds(revision):
    appointment = {name: str(new_id()) for name in ("appointment_id", "patient_id", "therapist_id")}
    appointment |= {"visit_type": "standard", "starts_at": "2026-11-16T12:00:00Z", "ends_at": "2026-11-16T13:00:00Z"}
    value = json.dumps(appointment).replace("}", f', "revision": {revision}}}').encode()
    headers = [(k, v) for k, v in with_header("ce_type", b"appointment.booked.v1") if k != "ce_subject"]
    assert "revision" in reason([*headers, ("ce_subject", appointment["appointment_id"].encode())], value)


def test_a_large_body_of_unknown_fields_is_read_up_to_the_limit():
    room = MAX_EVENT_BYTES - len(body(later=""))
    assert unwrap(RECORD.headers, body(later="x" * room)) == ENVELOPE
    assert reason(RECORD.headers, body(later="x" * (room + 1))) == "the body is too large"


header_names = st.sampled_from([name for name, _ in RECORD.headers]) | st.text(max_size=20)
header_lists = st.lists(st.tuples(header_names, st.none() | st.binary(max_size=60)), max_size=15)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def read_or_refuse(headers: Any, value: Any) -> Envelope[Event] | None:  # Any: whatever a topic may hold
    try:
        return unwrap(headers, value)
    except (UnreadableEvent, UnknownEventType):
        return None


@given(st.none() | header_lists, st.none() | st.binary(max_size=300))
@example([("ce_specversion", b"1.0"), ("ce_type", b"user.registered.v1")], b"{}")
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(headers, value):
    assert read_or_refuse(headers, value) is None


@given(
    header_names,
    st.none() | st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
def test_one_broken_header_is_read_or_refused_and_nothing_else_happens(name, raw):
    read = read_or_refuse(with_header(name, raw), RECORD.value)
    assert read is None or read.data == REGISTERED


@given(st.data())
def test_one_broken_field_is_read_or_refused_and_nothing_else_happens(data):
    record: KafkaMessage = to_kafka(replace_event(data.draw(events)))
    fields = json.loads(record.value)
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(json_values)
    read = read_or_refuse(record.headers, json.dumps(fields).encode())
    assert read is None or to_kafka(read).key == record.key


def replace_event(event: Event) -> Envelope[Event]:
    return wrap(
        event,
        source="/bloom/x",
        tenant_id=TenantId(new_id()),
        time=ENVELOPE.time,
        correlation_id=new_id(),
        event_id=EventId(new_id()),
    )
