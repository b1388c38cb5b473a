"""Problem documents: what they say, and what they never repeat."""

from typing import Annotated, Literal
from uuid import UUID

import orjson
import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ConfigDict, EmailStr, Field, TypeAdapter, ValidationError

from service_kit.errors import FieldError, Forbidden, InvalidRequest, NotFound, Problem
from service_kit.problems import ProblemResponse, catalog, document_of, field_errors, install_problem_handlers, problem_responses


class Slip(BaseModel):
    model_config = ConfigDict(extra="forbid")

    owner: UUID
    mail: EmailStr
    at: AwareDatetime
    size: Annotated[int, Field(gt=0)]
    kind: Literal["small", "large"]
    code: Annotated[str, Field(pattern="^[A-Z]{3}$")]


def test_a_problem_document_names_type_title_and_status():
    assert document_of(NotFound()) == {"type": "urn:bloom:problem:not-found", "title": "There is no such record", "status": 404}


def test_refused_fields_are_listed_by_place_rule_and_message():
    problem = InvalidRequest("Two fields.", errors=[FieldError(("body", "at"), "missing", "Field required")])
    document = orjson.loads(ProblemResponse(problem).body)
    assert document["detail"] == "Two fields."
    assert document["errors"] == [{"location": ["body", "at"], "rule": "missing", "message": "Field required"}]


def test_a_problem_answer_is_problem_json_and_is_not_cached():
    response = ProblemResponse(Forbidden())
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"


def test_a_header_value_with_a_line_break_is_left_out():
    response = ProblemResponse(NotFound(headers={"Location": "/a\r\nSet-Cookie: b=c", "X-Fine": "1"}))
    assert "location" not in response.headers
    assert response.headers["x-fine"] == "1"


@given(value=st.text(alphabet="qxzjkw", min_size=8, max_size=30))
def test_refused_values_are_never_repeated(value):
    slip = dict.fromkeys(("owner", "mail", "at", "size", "kind", "code"), value)
    slip["mail"] = f"{value}@{value}..test"
    with pytest.raises(ValidationError) as refused:
        Slip.model_validate(slip)
    found = field_errors(refused.value.errors())
    assert {error.location for error in found} == {(name,) for name in slip}
    assert not [error for error in found if value in error.message]


def test_messages_of_our_own_rules_stay_readable():
    with pytest.raises(ValidationError) as refused:
        Slip.model_validate({"owner": "x", "mail": "x", "at": "2030-01-01T00:00:00", "size": 0, "kind": "huge", "code": "abc"})
    messages = {error.location[0]: error.message for error in field_errors(refused.value.errors())}
    assert messages["owner"] == "Input should be a valid UUID"
    assert messages["size"] == "Input should be greater than 0"
    assert messages["kind"] == "Input should be 'small' or 'large'"
    assert messages["at"] == "Input should have timezone info"


def test_a_field_name_that_cannot_be_printed_is_not_repeated():
    found = field_errors([{"loc": ("body", "a\nb"), "type": "extra_forbidden", "msg": "Extra inputs are not permitted"}])
    assert found[0].location == ("body", "(unreadable name)")


def test_the_kind_that_was_sent_is_not_repeated():
    class Small(BaseModel):
        kind: Literal["small"]

    class Large(BaseModel):
        kind: Literal["large"]

    either: TypeAdapter[Small | Large] = TypeAdapter(Annotated[Small | Large, Field(discriminator="kind")])
    with pytest.raises(ValidationError) as refused:
        either.validate_python({"kind": "Quillon"})
    (error,) = field_errors(refused.value.errors())
    assert (error.rule, error.message) == ("union_tag_invalid", "Input is none of the expected kinds")


def test_a_flood_of_refused_fields_is_cut():
    found = field_errors([{"loc": ("body", number), "type": "missing", "msg": "Field required"} for number in range(500)])
    assert len(found) == 50


def test_the_catalog_lists_every_problem_once_by_slug():
    slugs = [kind.slug for kind in catalog()]
    assert slugs == sorted(set(slugs))
    assert {"not-found", "unauthorized", "idempotency-key-reused", "unexpected-error"} <= set(slugs)


def test_two_problems_under_one_slug_are_refused():
    class NotFoundEither(Problem):
        slug, status, title = "not-found", 404, "Neither"

    with pytest.raises(ValueError, match="share the slug not-found"):
        catalog()
    # Classes outlive their test: leave one that is in nobody's way.
    NotFoundEither.slug = "not-found-either"


def test_a_route_lists_its_problems_with_an_example_of_each():
    responses = problem_responses(NotFound, Forbidden)
    assert set(responses) == {404, 403}
    content = responses[404]["content"]["application/problem+json"]
    assert content["examples"]["not-found"]["value"]["type"] == "urn:bloom:problem:not-found"
    assert content["schema"] == {"$ref": "#/components/schemas/ProblemDocument"}


def test_two_problems_of_one_status_share_the_response():
    class Gone(Problem):
        slug, status, title = "test-gone", 404, "It has gone"

    response = problem_responses(NotFound, Gone)[404]
    assert set(response["content"]["application/problem+json"]["examples"]) == {"not-found", "test-gone"}
    assert response["description"] == "There is no such record; It has gone"


def test_the_handlers_are_there_for_problems_payloads_and_routing():
    app = FastAPI()
    install_problem_handlers(app)
    assert {Problem, RequestValidationError} <= set(app.exception_handlers)
