"""Problems over HTTP: RFC 9457 documents, the handlers that answer with them, and their place in the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service_kit import errors, logs
from service_kit.errors import FieldError, Problem
from service_kit.tracing import current_trace_id

MEDIA_TYPE = "application/problem+json"
_MAX_ERRORS = 50
_MAX_NAME = 64


class ProblemField(BaseModel):
    """A field that was refused, without its value."""

    location: list[str | int] = Field(examples=[["body", "starts_at"]])
    rule: str = Field(examples=["missing"])
    message: str = Field(examples=["Field required"])


class ProblemDocument(BaseModel):
    """An error answer in the format of RFC 9457."""

    type: str = Field(examples=["urn:bloom:problem:not-found"], description="What kind of problem; listed in docs/problems.md.")
    title: str = Field(examples=["There is no such record"])
    status: int = Field(examples=[404])
    detail: str | None = None
    instance: str | None = Field(default=None, description="Names this one answer: the request id.")
    errors: list[ProblemField] | None = None
    trace_id: str | None = Field(default=None, description="What to tell the operators.")


class ProblemResponse(Response):
    """The answer to a request that ended in a Problem."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem) -> None:
        headers = {name: value for name, value in problem.headers.items() if "\n" not in value and "\r" not in value}
        super().__init__(orjson.dumps(document_of(problem)), problem.status, {"Cache-Control": "no-store", **headers})


def document_of(problem: Problem) -> dict[str, Any]:
    """The problem as the members of an RFC 9457 document."""
    document: dict[str, Any] = {"type": problem_type(type(problem)), "title": problem.title, "status": problem.status}
    if problem.detail:
        document["detail"] = problem.detail
    if problem.errors:
        document["errors"] = [{"location": e.location, "rule": e.rule, "message": e.message} for e in problem.errors]
    if request_id := logs.request_id.get():
        document["instance"] = f"urn:bloom:request:{request_id}"
    if trace_id := current_trace_id():
        document["trace_id"] = trace_id
    return document


def problem_type(problem: type[Problem]) -> str:
    """The URN that names this kind of problem for ever."""
    return f"urn:bloom:problem:{problem.slug}"


def catalog() -> list[type[Problem]]:
    """Every kind of problem that has been imported, by slug; raises ValueError when two share a slug."""
    by_slug: dict[str, type[Problem]] = {}
    for kind in _descendants(Problem):
        if by_slug.setdefault(kind.slug, kind) is not kind:
            raise ValueError(f"{kind.__qualname__} and {by_slug[kind.slug].__qualname__} share the slug {kind.slug}")
    return [by_slug[slug] for slug in sorted(by_slug)]


def install_problem_handlers(app: FastAPI) -> None:
    """Makes the app answer every Problem, refused payload and routing error as a problem document that echoes nothing."""
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http_exception)


def problem_responses(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may end in these problems, with an example of each."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        response = responses.setdefault(kind.status, {"description": kind.title, "content": {MEDIA_TYPE: {"examples": {}}}})
        content = response["content"][MEDIA_TYPE]
        content["schema"] = {"$ref": "#/components/schemas/ProblemDocument"}
        content["examples"][kind.slug] = {"summary": kind.title, "value": example_of(kind)}
        titles = [example["summary"] for example in content["examples"].values()]
        response["description"] = "; ".join(dict.fromkeys(titles))
    return responses


def example_of(kind: type[Problem]) -> dict[str, Any]:
    """A problem document of this kind, as documentation shows it."""
    example: dict[str, Any] = {"type": problem_type(kind), "title": kind.title, "status": kind.status}
    if kind is errors.InvalidRequest:
        example["errors"] = [{"location": ["body", "field"], "rule": "missing", "message": "Field required"}]
    return {**example, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}


def field_errors(found: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """pydantic's findings as field errors: place, rule and message, with everything cut out that may repeat the input."""
    return [
        FieldError(tuple(_plain_name(part) for part in error["loc"]), str(error["type"]), _plain_message(error))
        for error, _ in zip(found, range(_MAX_ERRORS), strict=False)
    ]


async def _answer_problem(_request: Request, problem: Exception) -> Response:
    return ProblemResponse(problem if isinstance(problem, Problem) else Problem())


async def _answer_validation(_request: Request, refused: Exception) -> Response:
    found: Sequence[Mapping[str, Any]] = refused.errors() if isinstance(refused, RequestValidationError) else ()
    if any(error["type"] == "json_invalid" for error in found):
        return ProblemResponse(errors.MalformedRequest("The body is not valid JSON."))
    return ProblemResponse(errors.InvalidRequest(errors=field_errors(found)))


_BY_STATUS: Mapping[int, type[Problem]] = {
    400: errors.MalformedRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
}


async def _answer_http_exception(_request: Request, raised: Exception) -> Response:
    if not isinstance(raised, HTTPException):
        return ProblemResponse(Problem())
    kind = _BY_STATUS.get(raised.status_code, Problem if raised.status_code >= 500 else errors.MalformedRequest)
    return ProblemResponse(kind(headers=raised.headers))


def _plain_name(part: str | int) -> str | int:
    if isinstance(part, int):
        return part
    return part if len(part) <= _MAX_NAME and part.isprintable() else "(unreadable name)"


def _plain_message(error: Mapping[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        return message.partition(":")[0]
    if error["type"] == "union_tag_invalid":
        # Its text begins with the tag that was sent.
        return "Input is none of the expected kinds"
    if error["type"].endswith(("_parsing", "_type", "_inexact", "_schemes")) or "`" in message:
        return re.split(r"[,:`]", message, maxsplit=1)[0].strip()
    return message


def _descendants(kind: type[Problem]) -> list[type[Problem]]:
    return [kind, *(descendant for child in kind.__subclasses__() for descendant in _descendants(child))]
