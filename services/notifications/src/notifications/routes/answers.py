"""What several routes declare about their answers."""

from __future__ import annotations

from typing import Any

from service_kit.errors import Problem
from service_kit.problems import problem_responses

_ETAG = {"ETag": {"description": "The revision, for If-Match.", "schema": {"type": "string"}}}


def answers(*problems: type[Problem], etag: int | None = None) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: its problems, and the ETag that the answer with status `etag` carries."""
    responses = problem_responses(*problems)
    if etag is not None:
        responses[etag] = {"headers": _ETAG}
    return responses
