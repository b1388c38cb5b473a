"""Values for a JSON schema with a mark wherever one fits: as an honest client would send them, or marks and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.e2e.taint import Marks

Schema = Mapping[str, Any]
_LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
_BY_FORMAT: Mapping[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid4()),
    "date-time": _LATER.isoformat,
    "date": lambda: f"{_LATER:%Y-%m-%d}",
    "time": lambda: "09:00",
    "uri": lambda: "https://push.example.test/quiet",
}


@dataclass(frozen=True)
class Values:
    """Makes values by the schemas of one document; `known` are values that exist, by the names of what takes them."""

    schemas: Mapping[str, Schema]
    marks: Marks
    known: Mapping[str, Any]

    def honest(self, schema: Schema, name: str, place: str) -> Any:
        """A value that keeps the schema, with a mark in every text that may be any text."""
        schema = self.resolved(schema)
        if name in self.known:
            return self.known[name]
        for fixed in ("const", "default"):
            if schema.get(fixed) is not None:
                return schema[fixed]
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object":
            return {key: self.honest(each, key, f"{place}.{key}") for key, each in _chosen(schema).items()}
        if kind == "array":
            return [self.honest(schema["items"], name, place) for _ in range(max(1, schema.get("minItems", 1)))]
        return self._text(schema, place) if kind == "string" else _plain(schema)

    def marked(self, schema: Schema, place: str) -> Any:
        """A mark in the place of every single value, whatever the schema says of it."""
        schema = self.resolved(schema)
        if schema.get("type") == "object":
            properties = schema.get("properties", {})
            return {name: self.marked(each, f"{place}.{name}") for name, each in properties.items()}
        if schema.get("type") == "array":
            return [self.marked(schema["items"], place)]
        return self.marks.new(place)

    def resolved(self, schema: Schema) -> Schema:
        """The schema itself, of several alternatives the first that is not null."""
        while True:
            if "$ref" in schema:
                schema = self.schemas[schema["$ref"].rpartition("/")[2]]
                continue
            if "properties" in schema:
                return schema
            alternatives = [
                each for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ()) if each.get("type") != "null"
            ]
            if not alternatives:
                return schema
            schema = alternatives[0]

    def _text(self, schema: Schema, place: str) -> str:
        mark = self.marks.new(place)
        if schema.get("format") == "email":
            return f"{mark}@example.test"
        made = _BY_FORMAT.get(schema.get("format", ""))
        return made() if made else f"{mark} {'and so on ' * (schema.get('minLength', 0) // 10)}".strip()


def _chosen(schema: Schema) -> Mapping[str, Schema]:
    """The properties of an object; where it is to have one of several, the first of these."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    required = next((each["required"] for each in schema.get("oneOf", ()) if "required" in each), properties)
    return {name: each for name, each in properties.items() if name in required}


def _plain(schema: Schema) -> Any:
    if schema.get("type") == "boolean":
        return True
    return max(1, schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path to every single value."""
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in leaves(each, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, each in enumerate(value) for leaf in leaves(each, (*path, index))]
    return [path]


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The value with another one at this path."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {key: replaced(each, rest, new) if key == head else each for key, each in value.items()}
    return [replaced(each, rest, new) if index == head else each for index, each in enumerate(value)]
