"""A glance gives what reading everything gives, for every example and for everything that may be wrong with one."""

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, StringConstraints, field_validator

from bloom_events.event import Event
from bloom_events.glances import Glance, _quick_glance, glance
from bloom_events.registry import EVENT_TYPES, UnknownEventType, UnreadableEvent, unwrap
from bloom_events.structs import reader_of

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*/*.json"))
Pairs = list[tuple[str, bytes | None]]


def record_of(path: Path) -> tuple[Pairs, bytes]:
    example = json.loads(path.read_text())
    return [(name, value.encode()) for name, value in example["headers"].items()], json.dumps(example["value"]).encode()


def plain(data: Any) -> Any:
    """An event or a struct as its fields."""
    names = getattr(data, "__struct_fields__", None) or (type(data).model_fields if isinstance(data, BaseModel) else None)
    return {name: plain(getattr(data, name)) for name in names} if names else data


def glimpsed(headers: Pairs, value: bytes | None) -> Any:
    """What a glance comes to: all that it tells, or which exception with which words."""
    try:
        found = glance(headers, value)
    except (UnreadableEvent, UnknownEventType) as error:
        return type(error), str(error)
    return found._replace(data=plain(found.data))


def unwrapped(headers: Pairs, value: bytes | None) -> Any:
    """The same by reading everything."""
    try:
        envelope = unwrap(headers, value)
    except (UnreadableEvent, UnknownEventType) as error:
        return type(error), str(error)
    return Glance(envelope.id.bytes, envelope.type, envelope.time, envelope.tenant_id, envelope.traceparent, plain(envelope.data))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_is_read_at_a_glance_and_the_same(path: Path) -> None:
    headers, value = record_of(path)

    assert _quick_glance(dict(headers), value) is not None
    assert glimpsed(headers, value) == unwrapped(headers, value)


@pytest.mark.parametrize("event_class", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_every_event_has_a_struct(event_class: type[Event]) -> None:
    assert callable(reader_of(event_class))


ODD = [b"", b"2.0", b"text/plain", b"application/json; charset=utf-8", b"user.renamed.v1", b"/", b"x" * 2000, b"a\x00b", b"\xff"]
ODD += [b"1969-12-31T23:59:59Z", b"2030-01-07T09:00:00+01:00", b"2030-13-07T09:00:00Z", b"9999-12-31T23:59:59.999999Z"]
ODD += [b"2030-01-07T24:00:00Z", b"01A1F000-0008-7000-8000-000000000070", b"01a1f000-0008-7000-8000-000000000070"]
odd = st.one_of(st.none(), st.binary(max_size=40), st.sampled_from(ODD))
names = ["ce_specversion", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_tenantid", "ce_correlationid", "ce_id"]
names += ["ce_causationid", "content-type", "traceparent", "ce_partitionkey", "unknown"]


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(EXAMPLES), st.sampled_from(names), odd, st.sampled_from(["replaced", "twice", "gone"]))
def test_whatever_is_wrong_with_an_attribute_both_say_the_same(path: Path, name: str, value: bytes | None, how: str) -> None:
    headers, body = record_of(path)
    others = headers if how == "twice" else [pair for pair in headers if pair[0] != name]
    changed = others if how == "gone" else [*others, (name, value)]

    assert glimpsed(changed, body) == unwrapped(changed, body)


TIMES = ["2030-01-07T09:00:00.1234567Z", "2030-01-07T09:00:00.9999999Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"]
TIMES += [
    "2030-01-07T09:00:00",
    "2030-01-07 09:00:00z",
    "2030-01-07T09:00:00-01:30",
    "2030-01-07T23:59:60Z",
    "2030-02-29T09:00:00Z",
]
IDS = ["01A1F000-0008-7000-8000-000000000070", "01a1f000000870008000000000000070", "{01a1f000-0008-7000-8000-000000000070}"]
NUMBERS = ["1.0", "1e2", "-0", "0", "-1", "true", "NaN", "1e999", "0.5", str(2**31), str(2**53), str(2**70)]
TEXTS = [
    "",
    "EUR",
    "EUR\n",
    "abc\n",
    "a" * 64,
    "a" * 201,
    "\u00e9",
    "\x7f",
    "PATIENT",
    "low",
    "Anxiety",
    "standard",
    "signed_out",
]
fields = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from([json.dumps(text) for text in [*TIMES, *IDS, *TEXTS]]),
    st.sampled_from(['"\\ud800"', '"\xff"', "null", "[]", "{}", "[" * 300 + "]" * 300, "[null]", json.dumps(IDS[:2]), "nul", ""]),
    st.text(max_size=8).map(json.dumps),
)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(EXAMPLES), st.integers(0, 40), fields, st.sampled_from(["replaced", "twice", "gone", "unknown"]))
def test_whatever_is_wrong_with_a_field_both_say_the_same(path: Path, number: int, odd: str, how: str) -> None:
    headers, body = record_of(path)
    known = {name: json.dumps(value) for name, value in json.loads(body).items()}
    name = "never_heard_of" if how == "unknown" else sorted(known)[number % len(known)]
    pairs = [(each, odd if each == name and how == "replaced" else value) for each, value in known.items()]
    pairs = [pair for pair in pairs if how != "gone" or pair[0] != name]
    pairs += [(name, odd)] * (how in ("twice", "unknown"))
    changed = ("{" + ",".join(f'"{each}":{value}' for each, value in pairs) + "}").encode("latin-1", "replace")

    assert glimpsed(headers, changed) == unwrapped(headers, changed)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff", b"null", b'{"user_id": 1}', b" " * 900_001])
def test_whatever_is_wrong_with_a_body_both_say_the_same(value: bytes | None) -> None:
    headers, _ = record_of(EXAMPLES[0])

    assert glimpsed(headers, value) == unwrapped(headers, value)


class _Checking(Event):
    text: str

    @field_validator("text")
    @classmethod
    def is_short(cls, text: str) -> str:
        return text


class _Stripping(Event):
    text: Annotated[str, StringConstraints(strip_whitespace=True)]


class _Open(Event):
    anything: object


@pytest.mark.parametrize("event_class", [_Checking, _Stripping, _Open])
def test_no_struct_is_made_for_what_it_could_not_check(event_class: type[Event]) -> None:
    with pytest.raises(TypeError):
        reader_of(event_class)
