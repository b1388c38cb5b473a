"""Events of every type with marks in their fields and attributes, as readable as can be and as broken as can be."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

from confluent_kafka import Producer
from pydantic import ValidationError
from tests.e2e.planted_values import leaves, replaced
from tests.e2e.taint import Marks

from bloom_events.registry import EVENT_TYPES
from local_stack.paths import ROOT


class Planted(NamedTuple):
    """A record with marks in it."""

    topic: str
    value: bytes
    headers: list[tuple[str, bytes]]
    is_readable: bool


def planted_events(marks: Marks) -> Iterator[Planted]:
    """Of every example: one with marks wherever the contract lets them pass, one with nothing but marks in its body."""
    for path in sorted((ROOT / "libs" / "events" / "examples").glob("*/*.json")):
        example = json.loads(path.read_text())
        kind = path.parent.name
        # A tenant of its own: nothing of it can be seen by anybody.
        headers = {
            **example["headers"],
            "ce_id": str(uuid4()),
            "ce_tenantid": str(uuid4()),
            "tracestate": f"who={marks.new(kind)}",
        }
        yield _record(kind, readable(marks, kind, example["value"]), headers, is_readable=True)
        yield _record(kind, marked(marks, kind, example["value"]), headers, is_readable=False)


def planted_attributes(marks: Marks, kind: str) -> Planted:
    """An event of this type of which every attribute but the type is a mark."""
    names = ("ce_id", "ce_source", "ce_subject", "ce_time", "ce_tenantid", "ce_correlationid", "ce_causationid", "traceparent")
    attributes = {name: marks.new(f"{kind} {name}") for name in names}
    return _record(kind, {}, {"ce_specversion": "1.0", "ce_type": kind, **attributes}, is_readable=False)


def readable(marks: Marks, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """The event with a mark in each field that takes one."""
    for leaf in leaves(value):
        tried = replaced(value, leaf, marks.new(f"{kind}.{leaf}"))
        if _is_readable(kind, tried):
            value = tried
    return {**value, "from_the_future": marks.new(f"{kind}, unknown field")}


def marked(marks: Marks, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """The event with a mark in the place of every value."""
    for leaf in leaves(value):
        value = replaced(value, leaf, marks.new(f"{kind}.{leaf}"))
    return value


def send(bootstrap: str, records: list[Planted]) -> None:
    """Put the records on their topics and wait until they are there."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "log_level": 0})
    for record in records:
        producer.produce(record.topic, record.value, b"planted", headers=record.headers)
    assert producer.flush(20) == 0


def _record(kind: str, value: dict[str, Any], headers: dict[str, str], *, is_readable: bool) -> Planted:
    encoded = [(name, text.encode()) for name, text in headers.items()]
    return Planted(EVENT_TYPES[kind].TOPIC.name, json.dumps(value).encode(), encoded, is_readable)


def _is_readable(kind: str, value: dict[str, Any]) -> bool:
    try:
        EVENT_TYPES[kind].model_validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True
