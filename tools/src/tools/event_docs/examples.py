"""The examples beside the schemas: whole Kafka records, each true to its schema and read and written back unchanged."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from bloom_events.envelope import to_kafka
from bloom_events.registry import EVENT_TYPES, UnknownEventType, UnreadableEvent, unwrap
from tools.event_docs.schemas import schema_of

EXAMPLES = Path("libs/events/examples")


@dataclass(frozen=True, slots=True)
class Example:
    """One record as it lies on its topic; `value` is the JSON body."""

    path: Path
    key: str
    headers: Mapping[str, str]
    value: Mapping[str, Any]

    @property
    def wire_type(self) -> str:
        """The type of event that it shows: the name of its folder."""
        return self.path.parent.name


def read_examples(root: Path) -> list[Example]:
    """Every committed example, by path."""
    paths = sorted((root / EXAMPLES).glob("*/*.json"))
    return [Example(path.relative_to(root), **json.loads(path.read_text())) for path in paths]


def example_faults(root: Path) -> list[str]:
    """What is wrong with the examples, one sentence each; every event needs at least one."""
    examples = read_examples(root)
    shown = {example.wire_type for example in examples}
    missing = [f"{EXAMPLES}/{wire_type}: an example is missing" for wire_type in EVENT_TYPES if wire_type not in shown]
    wrong = [f"{e.path}: {fault}" for e in examples if e.wire_type in EVENT_TYPES for fault in _faults(e)]
    return missing + wrong


def _faults(example: Example) -> Iterator[str]:
    schema = schema_of(EVENT_TYPES[example.wire_type])
    for error in jsonschema_rs.validator_for(schema, validate_formats=True).iter_errors(example.value):
        yield f"{'/'.join(map(str, error.instance_path)) or 'the body'}: {error.message}"
    if example.headers.get("ce_type") != example.wire_type:
        yield "ce_type is not the name of its folder"
    headers = [(name, text.encode()) for name, text in example.headers.items()]
    try:
        again = to_kafka(unwrap(headers, json.dumps(example.value).encode()))
    except (UnreadableEvent, UnknownEventType) as error:
        yield f"cannot be read: {error}"
        return
    # An example may be older than an optional field, which is then written with its default.
    written = {name: value for name, value in json.loads(again.value).items() if name in example.value}
    if (again.key.decode(), sorted(again.headers), written) != (example.key, sorted(headers), example.value):
        yield "is written back differently"
