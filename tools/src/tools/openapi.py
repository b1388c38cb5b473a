"""`python -m tools.openapi write|check`: the one OpenAPI document of the platform, merged from those of its services.

A schema that several services describe alike appears once; a name that they use for different things gets the service's
name before it. There is no list of servers: the document is served by the gateway that it describes.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tools.apps import service_names, unconnected_app
from tools.generated import run_generator

Document = dict[str, Any]

PATH = "docs/openapi.json"
_SCHEMAS = "#/components/schemas/"
_INFO = {
    "title": "Bloom API",
    "version": "1",
    "description": (
        "Bloom's public API as the gateway offers it: accounts and sessions, therapists and their free slots, appointments, "
        "invoices. Errors are problem documents (RFC 9457), all of them listed in docs/problems.md."
    ),
}


def merge(documents: Mapping[str, Document]) -> Document:
    """One document out of those of the services; raises ValueError when two answer the same path or share an operation's id."""
    clashing = _clashing_schemas(documents)
    merged: Document = {"openapi": "3.1.0", "info": _INFO, "paths": {}, "components": {"schemas": {}, "securitySchemes": {}}}
    for service, document in sorted(documents.items()):
        own = _renamed(document, {name: _qualified(service, name) for name in clashing})
        taken = set(merged["paths"]) & set(own["paths"])
        if taken:
            raise ValueError(f"{service} answers paths that another service answers: {', '.join(sorted(taken))}")
        merged["paths"] |= own["paths"]
        for kind in ("schemas", "securitySchemes"):
            merged["components"][kind] |= own.get("components", {}).get(kind, {})
    merged["components"]["schemas"] = dict(sorted(merged["components"]["schemas"].items()))
    _refuse_shared_ids(merged)
    return merged


def _clashing_schemas(documents: Mapping[str, Document]) -> set[str]:
    """The names under which services describe different things, or the same thing made of such things."""
    spellings: dict[str, list[str]] = {}
    for document in documents.values():
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            spellings.setdefault(name, []).append(json.dumps(schema, sort_keys=True))
    shared = {name: set(found) for name, found in spellings.items() if len(found) > 1}
    clashing = {name for name, found in shared.items() if len(found) > 1}
    while grown := {name for name, found in shared.items() if name not in clashing and _mentions(found, clashing)}:
        clashing |= grown
    return clashing


def _mentions(spellings: set[str], names: set[str]) -> bool:
    return any(f'"{_SCHEMAS}{name}"' in text for text in spellings for name in names)


def _qualified(service: str, name: str) -> str:
    prefix = "".join(word.capitalize() for word in service.split("-"))
    return f"{prefix}{name}"


def _renamed(document: Document, names: Mapping[str, str]) -> Document:
    """The document with other names for some of its schemas, wherever they are mentioned."""
    text = json.dumps(document)
    for old, new in names.items():
        text = text.replace(f'"{_SCHEMAS}{old}"', f'"{_SCHEMAS}{new}"')
    renamed: Document = json.loads(text)
    schemas = renamed.get("components", {}).get("schemas", {})
    if schemas:
        renamed["components"]["schemas"] = {names.get(name, name): schema for name, schema in schemas.items()}
    return renamed


def _refuse_shared_ids(document: Document) -> None:
    ids = Counter(operation.get("operationId") for path in document["paths"].values() for operation in path.values())
    shared = [str(name) for name, count in ids.items() if count > 1]
    if shared:
        raise ValueError(f"several operations are called {', '.join(sorted(shared))}")


def generated() -> dict[str, str]:
    """The path below the root and the text of the merged document."""
    document = merge({service: unconnected_app(service).openapi() for service in service_names()})
    return {PATH: json.dumps(document, indent=1, ensure_ascii=False) + "\n"}


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
