"""docs/asyncapi.yaml: the topics and events as an AsyncAPI 3 document, for those who read the log from outside."""

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs

from bloom_events.envelope import CONTENT_TYPE, SOURCE, SPEC_VERSION, TRACEPARENT
from bloom_events.event import Event
from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import TOPICS, Topic
from tools.event_docs.examples import Example
from tools.event_docs.schemas import Schema
from tools.steps import ROOT

Part = dict[str, Any]

# AsyncAPI Initiative's own schema of version 3.0.0, see the README beside it.
OFFICIAL_SCHEMA = ROOT / "tools/third_party/asyncapi/3.0.0.json.gz"

_BINDING = "0.5.0"
_UUID = {"type": "string", "format": "uuid"}


def document(schemas: Mapping[str, Schema], examples: Sequence[Example]) -> Part:
    """The whole document; it refers to nothing outside itself."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:bloom:events",
        "info": {
            "title": "Bloom events",
            "version": "1.0.0",
            "description": "Every event of Bloom, a CloudEvents 1.0 envelope in Kafka's binary mode. Delivered at least once: "
            "keep ce_id of what was handled. Ignore unknown fields, skip unknown types.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"local": {"host": "localhost:9092", "protocol": "kafka", "description": "The stack that `make up` starts."}},
        "channels": {_short(topic): _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {
            "schemas": {"Envelope": _envelope()},
            "messages": {
                event.__name__: _message(event, schemas[wire_type], [e for e in examples if e.wire_type == wire_type])
                for wire_type, event in EVENT_TYPES.items()
            },
        },
    }


def official_schema() -> bytes:
    """The text of the official schema."""
    return gzip.decompress(OFFICIAL_SCHEMA.read_bytes())


def faults(api: Part) -> list[str]:
    """Where a document breaks AsyncAPI 3.0.0, by the official JSON schema; empty if nowhere."""
    errors = jsonschema_rs.validator_for(json.loads(official_schema())).iter_errors(api)
    return ["/".join(map(str, error.instance_path)) + " breaks AsyncAPI 3.0.0" for error in errors]


def _short(topic: Topic) -> str:
    """`bloom.users.v1` as `users.v1`, the name of the channel."""
    return topic.name.removeprefix("bloom.")


def _channel(topic: Topic) -> Part:
    names = [event.__name__ for event in EVENT_TYPES.values() if event.TOPIC is topic]
    return {
        "address": topic.name,
        "title": topic.name,
        "description": topic.holds,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "tags": [{"name": f"data:{topic.data_class}"}],
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup_policy], "retention.ms": topic.retention_ms},
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations() -> Part:
    """One operation per topic and service that writes or reads it."""
    sides = [
        (topic, action, service)
        for topic in TOPICS
        for action, services in (("send", topic.producers), ("receive", topic.consumers))
        for service in services
    ]
    return {
        f"{service}.{action}.{_short(topic)}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{_short(topic)}"},
            "summary": f"{service} {'writes' if action == 'send' else 'reads'} {topic.name}",
            "tags": [{"name": service}],
        }
        for topic, action, service in sides
    }


def _message(event: type[Event], schema: Schema, examples: Sequence[Example]) -> Part:
    payload = {key: part for key, part in schema.items() if key not in {"$schema", "$id", "title"} and not key.startswith("x-")}
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": schema["description"],
        "contentType": CONTENT_TYPE,
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {"type": "object", "properties": {"ce_type": {"const": event.TYPE}}},
            ]
        },
        "payload": payload,
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": {**_UUID, "description": f"The event's {event.KEY}."}, "bindingVersion": _BINDING}},
        "examples": [{"name": e.path.stem, "headers": dict(e.headers), "payload": dict(e.value)} for e in examples],
    }


def _envelope() -> Part:
    """The headers that every record carries."""
    properties: Part = {
        "ce_specversion": {"const": SPEC_VERSION},
        "ce_id": {**_UUID, "description": "The event's id, the same on every delivery."},
        "ce_type": {"type": "string", "description": "Wire type with its version."},
        "ce_source": {"type": "string", "pattern": f"^{SOURCE.pattern}$", "description": "Who published it."},
        "ce_subject": {**_UUID, "description": "Id of the aggregate, equal to the record's key."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it happened, in UTC."},
        "ce_tenantid": {**_UUID, "description": "The tenant."},
        "ce_correlationid": {**_UUID, "description": "Shared by everything that one request set off."},
        "content-type": {"const": CONTENT_TYPE},
        "ce_causationid": {**_UUID, "description": "The event that led to this one."},
        "traceparent": {"type": "string", "pattern": f"^{TRACEPARENT.pattern}$", "description": "W3C trace context."},
    }
    optional = {"ce_causationid", "traceparent"}
    return {"type": "object", "required": [name for name in properties if name not in optional], "properties": properties}
