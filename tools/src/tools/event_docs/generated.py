"""The files that are made from the event contract, and how they compare with what lies on disk."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from bloom_events.registry import EVENT_TYPES
from tools.event_docs.asyncapi import document
from tools.event_docs.compatibility import SCHEMAS
from tools.event_docs.examples import EXAMPLES, read_examples
from tools.event_docs.page import page
from tools.event_docs.schemas import Schema, schema_of

PAGE = Path("docs/events.md")
ASYNCAPI = Path("docs/asyncapi.yaml")


class _PlainDumper(yaml.SafeDumper):
    """Writes YAML without anchors, and long lines as they are."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the name and shape are PyYAML's
        return True


def event_schemas() -> dict[str, Schema]:
    """The JSON schema of every event by wire type."""
    return {wire_type: schema_of(event) for wire_type, event in EVENT_TYPES.items()}


def generated_files(root: Path) -> dict[Path, str]:
    """Path below the root and text of every generated file."""
    schemas = event_schemas()
    examples = read_examples(root)
    files = {SCHEMAS / f"{wire_type}.json": _json(schema) for wire_type, schema in schemas.items()}
    files[PAGE] = page(schemas, examples)
    api = yaml.dump(document(schemas, examples), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=10_000)
    files[ASYNCAPI] = f"# Generated from libs/events by `make events`.\n{api}"
    return files


def stale_files(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """The generated files that are missing or differ."""
    return [path for path, text in files.items() if not (root / path).is_file() or (root / path).read_text() != text]


def misplaced_files(root: Path) -> list[str]:
    """Schemas and examples on disk that belong to no event, one sentence each."""
    names = {path: path.stem for path in (root / SCHEMAS).iterdir()} | {path: path.name for path in (root / EXAMPLES).iterdir()}
    return [f"{path.relative_to(root)} belongs to no event" for path, name in sorted(names.items()) if name not in EVENT_TYPES]


def rewrite(root: Path, files: Mapping[Path, str]) -> None:
    """Write every file, and delete the schemas that belong to no event any more."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path in (root / SCHEMAS).glob("*.json"):
        if path.relative_to(root) not in files:
            path.unlink()


def _json(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
