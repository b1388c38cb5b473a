"""The merged OpenAPI document: nothing lost, nothing shared by accident."""

from typing import Any

import pytest

from tools.openapi import merge


def document(path: str, operation: str, **schemas: Any) -> dict[str, Any]:
    """A small document whose one operation answers with the schema Answer."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}
    answers = {"200": {"description": "ok", "content": content}}
    paths = {path: {"get": {"operationId": operation, "responses": answers}}}
    return {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}


def answer_of(merged: dict[str, Any], path: str) -> str:
    """The name of the schema that a path answers with."""
    content = merged["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    return str(content["schema"]["$ref"]).rpartition("/")[2]


def test_a_schema_described_alike_appears_once():
    same = {"type": "string"}

    merged = merge({"auth": document("/a", "a", Answer=same), "billing": document("/b", "b", Answer=same)})

    assert merged["components"]["schemas"] == {"Answer": same}
    assert set(merged["paths"]) == {"/a", "/b"}


def test_a_name_used_for_two_things_gets_the_service_before_it_everywhere():
    outer = {"type": "object", "properties": {"inner": {"$ref": "#/components/schemas/Inner"}}}
    first = document("/a", "a", Answer=outer, Inner={"type": "string"}, Own={"$ref": "#/components/schemas/Inner"})
    second = document("/b", "b", Answer=outer, Inner={"type": "integer"})

    merged = merge({"auth": first, "ml-scoring": second})

    schemas = merged["components"]["schemas"]
    assert set(schemas) == {"AuthAnswer", "AuthInner", "MlScoringAnswer", "MlScoringInner", "Own"}
    assert schemas["Own"]["$ref"] == "#/components/schemas/AuthInner"
    assert schemas["MlScoringAnswer"]["properties"]["inner"]["$ref"] == "#/components/schemas/MlScoringInner"
    assert (answer_of(merged, "/a"), answer_of(merged, "/b")) == ("AuthAnswer", "MlScoringAnswer")


def test_two_services_on_one_path_or_with_one_operation_id_are_refused():
    with pytest.raises(ValueError, match="another service answers: /a"):
        merge({"auth": document("/a", "a"), "billing": document("/a", "b")})
    with pytest.raises(ValueError, match="called a"):
        merge({"auth": document("/a", "a"), "billing": document("/b", "a")})


def test_the_merged_document_names_no_server():
    one = document("/a", "a") | {"servers": [{"url": "http://127.0.0.1:8101"}]}

    assert "servers" not in merge({"auth": one})
