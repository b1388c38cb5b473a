"""The quick way of reading gives what the other gives, for every example and for everything that may be wrong with one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloom_events.quick_unwrap import _quickly, unwrap_quickly
from bloom_events.registry import UnknownEventType, UnreadableEvent, unwrap

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*/*.json"))
Pairs = list[tuple[str, bytes | None]]


def record_of(path: Path) -> tuple[Pairs, bytes]:
    example = json.loads(path.read_text())
    return [(name, value.encode()) for name, value in example["headers"].items()], json.dumps(example["value"]).encode()


def end_of(read: Any, headers: Pairs, value: bytes | None) -> Any:
    """What reading comes to: the envelope, or which exception with which words."""
    try:
        return read(headers, value)
    except (UnreadableEvent, UnknownEventType) as error:
        return type(error), str(error)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_is_read_quickly_and_the_same(path: Path) -> None:
    headers, value = record_of(path)

    assert _quickly(dict(headers), value) == unwrap(headers, value) == unwrap_quickly(headers, value)


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

    assert end_of(unwrap_quickly, changed, body) == end_of(unwrap, changed, body)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff", b"null", b'{"user_id": 1}', b" " * 900_001])
def test_whatever_is_wrong_with_a_body_both_say_the_same(value: bytes | None) -> None:
    headers, _ = record_of(EXAMPLES[0])

    assert end_of(unwrap_quickly, headers, value) == end_of(unwrap, headers, value)
