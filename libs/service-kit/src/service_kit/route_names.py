"""The name of a route: its path as it was declared, which is what metrics, logs, spans and stored answers go by."""

from __future__ import annotations

from starlette.types import Scope

UNMATCHED = "unmatched"
"""The name for whatever no route answers."""


def route_name(scope: Scope) -> str:
    """The whole template of the route that answers, prefixes included, such as `/api/notes/{note_id}`."""
    # FastAPI keeps the route as its router declared it, and the prefixes of its inclusion beside it.
    included = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(included or scope.get("route"), "path", UNMATCHED))
