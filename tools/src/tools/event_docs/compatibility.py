"""Within a version a schema may only gain optional fields: anything else breaks a reader or the records already kept."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]

SCHEMAS = Path("libs/events/schemas")

# These speak to people; every other keyword decides what is valid.
_ANNOTATIONS = frozenset({"$schema", "$id", "title", "description", "examples"})


def baselines(root: Path) -> Iterator[Schemas]:
    """The committed contract by wire type: as it lies on disk, and as the last commit has it where there is git."""
    yield {path.stem: json.loads(path.read_text()) for path in (root / SCHEMAS).glob("*.json")}
    listing = _git(root, "ls-tree", "--name-only", "HEAD", f"{SCHEMAS}/")
    yield {Path(name).stem: json.loads(_git(root, "show", f"HEAD:{name}")) for name in listing.splitlines()}


def incompatibilities(committed: Schemas, current: Schemas) -> Iterator[tuple[str, str]]:
    """Yield wire type and one sentence for everything that `current` drops, tightens or changes."""
    for wire_type, old in sorted(committed.items()):
        if wire_type not in current:
            yield wire_type, f"{wire_type} is gone: records of it are kept, so its class must stay"
            continue
        for sentence in _broken_fields(old, current[wire_type]):
            yield wire_type, f"{wire_type}: {sentence}; make a new version of the event instead"


def _broken_fields(old: Schema, new: Schema, path: str = "") -> Iterator[str]:
    """Compare two object schemas field by field, and nested objects the same way."""
    if _without_fields(old) != _without_fields(new):
        yield f"{path or 'the event'} itself changed"
    before, after = old.get("properties", {}), new.get("properties", {})
    was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before | after):
        if name not in after:
            yield f"{path}{name} was dropped"
        elif name in is_required - was_required:
            yield f"{path}{name} became required" if name in before else f"{path}{name} is new and required"
        elif name in was_required - is_required:
            yield f"{path}{name} became optional"
        elif name in before:
            yield from _broken_field(before[name], after[name], f"{path}{name}")


def _broken_field(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "properties" in old and "properties" in new:
        yield from _broken_fields(old, new, f"{path}.")
    elif _rules(old) != _rules(new):
        yield f"{path} changed from {json.dumps(_rules(old))} to {json.dumps(_rules(new))}"


def _without_fields(schema: Schema) -> Schema:
    return {key: part for key, part in _rules(schema).items() if key not in {"properties", "required"}}


def _rules(node: Any) -> Any:  # Any: a JSON value
    """The schema without what only speaks to people."""
    if isinstance(node, list):
        return [_rules(item) for item in node]
    if isinstance(node, dict):
        kept = {key: part for key, part in node.items() if key not in _ANNOTATIONS}
        # Below `properties` the keys are names of fields, which may well be called `title`.
        return {key: _fields(part) if key == "properties" else _rules(part) for key, part in kept.items()}
    return node


def _fields(properties: Schema) -> Schema:
    return {name: _rules(part) for name, part in properties.items()}


def _git(root: Path, *arguments: str) -> str:
    """What git prints; nothing where this is no repository or has no commit yet."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
