"""The OpenAPI document of a service: FastAPI's own, with the problems that come from the plumbing on every operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service_kit import errors
from service_kit.errors import Problem
from service_kit.problems import MEDIA_TYPE, ProblemDocument, problem_responses

_ALWAYS = (errors.MalformedRequest, errors.InvalidRequest, Problem, errors.ServiceUnavailable)
_WITH_BODY = (errors.PayloadTooLarge, errors.UnsupportedMediaType)
_WITH_TOKEN = (errors.Unauthorized,)
_WITH_HEADER = {
    "Idempotency-Key": (errors.IdempotencyKeyReused, errors.RequestInProgress),
    "If-Match": (errors.PreconditionFailed, errors.PreconditionRequired),
}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The document, made once and kept in the app; it needs no server and no lifespan."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        _describe_problems(schemas)
        for schema in schemas.values():
            _restore_nulls(schema)
        for path in document.get("paths", {}).values():
            for operation in path.values():
                _add_problems(operation)
        app.openapi_schema = document
    return app.openapi_schema


def _describe_problems(schemas: dict[str, Any]) -> None:
    # FastAPI describes its own 422, which no route of ours answers.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    described = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= described.pop("$defs", {})
    schemas["ProblemDocument"] = described


def _restore_nulls(schema: dict[str, Any]) -> None:
    # FastAPI leaves every null out of the document, those in examples of fields that are always there too.
    for example in schema.get("examples", ()):
        for name in schema.get("required", ()) if isinstance(example, dict) else ():
            if {"type": "null"} in schema["properties"][name].get("anyOf", ()):
                example.setdefault(name, None)


def _add_problems(operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    for status, response in problem_responses(*_plumbing_problems(operation)).items():
        declared = responses.setdefault(str(status), response).setdefault("content", {})
        own = response["content"][MEDIA_TYPE]
        declared.setdefault(MEDIA_TYPE, {"schema": own["schema"]}).setdefault("examples", {}).update(own["examples"])


def _plumbing_problems(operation: dict[str, Any]) -> Iterator[type[Problem]]:
    yield from _ALWAYS
    if "requestBody" in operation:
        yield from _WITH_BODY
    if operation.get("security"):
        yield from _WITH_TOKEN
    for parameter in operation.get("parameters", ()):
        yield from _WITH_HEADER.get(parameter["name"], ())
