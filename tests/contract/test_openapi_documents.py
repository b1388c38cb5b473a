"""The OpenAPI documents keep their word: examples fit their schemas, and every operation says how it can fail."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from gateway import load_table
from service_kit.problems import MEDIA_TYPE, catalog, problem_type
from tools.apps import service_names, unconnected_app
from tools.openapi import merge

DOCUMENTS = {service: unconnected_app(service).openapi() for service in service_names()}
MERGED = merge(DOCUMENTS)
METHODS = {"get", "put", "post", "patch", "delete"}

Operation = dict[str, Any]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    """Every operation with its method and path."""
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            yield method, path, item[method]


OPERATIONS = {f"{method.upper()} {path}": (method, path, operation) for method, path, operation in operations(MERGED)}
each_operation = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS.values(), ids=OPERATIONS)


def described_examples(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example below a node, with its place and the schema that it must fit."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from described_examples(item, f"{place}/{number}")
    if not isinstance(node, dict):
        return
    schema = node.get("schema")
    if isinstance(schema, dict):
        yield from ((place, schema, example["value"]) for example in node.get("examples", {}).values() if "value" in example)
        if "example" in node:
            yield place, schema, node["example"]
    elif isinstance(node.get("examples"), list):
        yield from ((place, node, example) for example in node["examples"])
    for name, item in node.items():
        if name not in {"examples", "example"}:
            yield from described_examples(item, f"{place}/{name}")


def fault_of(schema: dict[str, Any], example: Any) -> str:
    """Why an example does not fit a schema of the merged document; empty when it does."""
    complete = {**schema, "components": MERGED["components"]}
    found = next(iter(jsonschema_rs.iter_errors(complete, example, validate_formats=True)), None)
    return "" if found is None else found.message


def test_every_example_fits_its_schema():
    examples = list(described_examples(MERGED))

    faults = [f"{place}: {fault}" for place, schema, example in examples if (fault := fault_of(schema, example))]

    assert len(examples) > 100
    assert faults == []


def test_an_example_that_does_not_fit_would_be_noticed():
    schema = {"$ref": "#/components/schemas/ProblemDocument"}

    assert fault_of(schema, {"type": "a", "title": "b", "status": "many"})
    assert list(described_examples({"schema": schema, "examples": {"one": {"value": 1}}})) == [("", schema, 1)]


@each_operation
def test_an_operation_declares_its_problems_with_an_example_of_each(method: str, path: str, operation: Operation):
    known = {problem_type(kind): kind.status for kind in catalog()}
    failures = {status: answer for status, answer in operation["responses"].items() if status >= "400"}

    assert {"400", "422", "500", "503"} <= set(failures)
    assert not operation.get("security") or "401" in failures
    assert "requestBody" not in operation or {"413", "415"} <= set(failures)
    for status, answer in failures.items():
        content = answer["content"][MEDIA_TYPE]
        assert content["schema"]["$ref"].endswith("/ProblemDocument")
        assert content["examples"], f"{status} has no example"
        for example in content["examples"].values():
            assert known[example["value"]["type"]] == int(status) == example["value"]["status"]


@each_operation
def test_an_operation_says_what_it_does_and_answers(method: str, path: str, operation: Operation):
    successes = [answer for status, answer in operation["responses"].items() if status < "300"]

    assert operation.get("description", "").strip()
    assert operation["tags"]
    assert len(successes) == 1
    assert "204" in operation["responses"] or successes[0]["content"]


@each_operation
def test_a_list_is_paged_by_a_cursor(method: str, path: str, operation: Operation):
    shown = json.dumps(operation["responses"].get("200", {}).get("content", {}))
    asked = {parameter["name"] for parameter in operation.get("parameters", [])} | fields_of_body(operation)

    assert ("Page_" in shown) == ({"cursor", "limit"} <= asked)


def fields_of_body(operation: Operation) -> set[str]:
    """The fields of the body that an operation takes; what is asked for in private stands there."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return set(MERGED["components"]["schemas"].get(name, {}).get("properties", {}))


def test_every_creation_takes_an_idempotency_key():
    creations = [
        operation for method, _, operation in OPERATIONS.values() if method == "post" and "201" in operation["responses"]
    ]
    without = [
        operation["operationId"]
        for operation in creations
        if "Idempotency-Key" not in {parameter["name"] for parameter in operation.get("parameters", [])}
    ]

    assert len(creations) >= 4
    assert without == []


@pytest.mark.parametrize("service", service_names())
def test_a_service_takes_no_unknown_fields(service: str):
    schemas = DOCUMENTS[service].get("components", {}).get("schemas", {})
    bodies = [name for name in schemas if name.endswith("Request")]

    open_ones = [name for name in bodies if schemas[name].get("additionalProperties") is not False]

    takes_bodies = any("requestBody" in operation for _, _, operation in operations(DOCUMENTS[service]))
    assert bool(bodies) == takes_bodies
    assert open_ones == []


@pytest.mark.promise("PL8")
@each_operation
def test_the_gateway_lets_an_operation_through_to_the_service_that_has_it(method: str, path: str, operation: Operation):
    route = load_table().route_for(path)

    assert route is not None
    assert path in DOCUMENTS[route.upstream]["paths"]
    assert (route.access == "public") == (not operation.get("security"))


def test_the_merged_document_is_served_where_its_callers_are():
    assert MERGED["openapi"].startswith("3.1.")
    assert "servers" not in MERGED
    assert MERGED["components"]["securitySchemes"]["HTTPBearer"]["bearerFormat"] == "JWT"
