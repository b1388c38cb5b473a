"""docs/events.md: every topic and every event on one page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bloom_events.event import Event
from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import TOPICS, Topic, all_topics
from tools.event_docs.examples import Example
from tools.event_docs.schemas import Schema

_DAY_MS = 24 * 60 * 60 * 1000

_HEAD = """# Events

Generated from `libs/events` by `make events`; `make check` compares. The same for machines: [asyncapi.yaml](asyncapi.yaml).

A record is a CloudEvents 1.0 event in the Kafka binding's binary mode: the attributes below as headers, the event's fields as
a JSON body. Its key is the aggregate's id, its timestamp the event's own time. Every event may come twice, late or out of
order: keep `ce_id` of what you handled, ignore fields that you do not know, skip types that you do not know. Within a version
only optional fields are added. Records hold ids, times, states and amounts; names and contact data of patients never.

| header | holds |
|---|---|
| `ce_specversion` | `1.0` |
| `ce_id` | UUID of the event, the same on every delivery |
| `ce_type` | wire type with its version |
| `ce_source` | who published it, such as `/bloom/auth` |
| `ce_subject` | id of the aggregate, equal to the record's key |
| `ce_time` | when it happened, RFC 3339 in UTC |
| `ce_tenantid` | UUID of the tenant |
| `ce_correlationid` | UUID shared by everything that one request set off |
| `ce_causationid` | UUID of the event that led to this one; absent if none did |
| `content-type` | `application/json` |
| `traceparent` | W3C trace context; may be absent |
"""


def page(schemas: Mapping[str, Schema], examples: Sequence[Example]) -> str:
    """The text of docs/events.md."""
    parts = [_HEAD, "## Topics\n", *_topic_table(), ""]
    for topic in TOPICS:
        parts += [f"## {topic.name}\n", f"{topic.holds}\n"]
        for wire_type, event in EVENT_TYPES.items():
            if topic is event.TOPIC:
                parts += _event_section(event, schemas[wire_type], [e for e in examples if e.wire_type == wire_type])
    return "\n".join(parts)


def _topic_table() -> Iterator[str]:
    yield "| topic | written by | read by | partitions | kept | cleanup | data |"
    yield "|---|---|---|---|---|---|---|"
    for topic in all_topics():
        yield (
            f"| `{topic.name}` | {', '.join(topic.producers)} | {', '.join(topic.consumers) or '-'} "
            f"| {topic.partitions} | {_kept(topic)} | {topic.cleanup_policy} | {topic.data_class} |"
        )


def _kept(topic: Topic) -> str:
    return "for good" if topic.retention_ms < 0 else f"{topic.retention_ms // _DAY_MS} days"


def _event_section(event: type[Event], schema: Schema, examples: Sequence[Example]) -> Iterator[str]:
    links = ", ".join(f"[{example.path.stem}](../{example.path})" for example in examples)
    yield f"### {event.TYPE}\n"
    yield f"{schema['description']}\n"
    yield f"`{event.__name__}`, key `{event.KEY}`, [schema](../libs/events/schemas/{event.TYPE}.json), examples: {links}\n"
    yield "| field | holds | meaning |"
    yield "|---|---|---|"
    for name, field in schema["properties"].items():
        optional = "" if name in schema["required"] else ", optional"
        yield f"| `{name}` | {_kind(field)}{optional} | {field.get('description', '')} |"
    yield ""


def _kind(field: Mapping[str, Any]) -> str:
    """A field's type in words."""
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_kind(choice) for choice in field["anyOf"])
    return str(field.get("format", field["type"]))
