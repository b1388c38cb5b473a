"""JSON Schemas of the events, made from their classes: self-contained, without the noise of generated titles."""

from typing import Any

from bloom_events.event import Event

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(event: type[Event]) -> Schema:
    """The schema of one event's JSON body, as a reader must accept it: unknown fields are allowed."""
    raw = event.model_json_schema(mode="validation")
    definitions = raw.pop("$defs", {})
    body: Schema = _plain(raw, definitions)
    return {
        "$schema": DIALECT,
        "$id": f"urn:bloom:event:{event.TYPE}",
        "title": event.__name__,
        **body,
        "x-topic": event.TOPIC.name,
        "x-key": event.KEY,
    }


def _plain(node: Any, definitions: Schema) -> Any:  # Any: a JSON value
    """Put definitions where they are referred to and drop the titles that pydantic derives from names."""
    if isinstance(node, list):
        return [_plain(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    kept = {key: part for key, part in node.items() if not (key == "title" and isinstance(part, str))}
    return {key: _fields(part, definitions) if key == "properties" else _plain(part, definitions) for key, part in kept.items()}


def _fields(properties: Schema, definitions: Schema) -> Schema:
    """The same for the fields of an object, whose names are no keywords: a field may be called `title`."""
    return {name: _plain(part, definitions) for name, part in properties.items()}
