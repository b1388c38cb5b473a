"""The app around a service's routes: what every request may carry and what every answer looks like."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service_kit.http_edge import SECURITY_HEADERS

JSON = {"Content-Type": "application/json"}


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert len(document["trace_id"]) == 32
    return response.status_code, document["type"].removeprefix("urn:bloom:problem:")


async def test_a_good_request_is_answered(client):
    response = await client.post("/echo", json={"text": "hello"})
    assert response.status_code == 200
    assert response.json() == {"text": "hello", "about": None}


@pytest.mark.parametrize(
    "body", [b"{", b"", b"nonsense", b'{"text": NaN}', b'{"text": "\xff"}', b'{"text": "\\ud800"}', b'{"text": "a\x00b"}']
)
async def test_a_body_that_is_not_strict_json_is_refused_without_repeating_it(client, body):
    response = await client.post("/echo", content=body, headers=JSON)
    assert problem(response) in {(400, "malformed-request"), (422, "invalid-request")}
    assert "nonsense" not in response.text


async def test_json_nested_without_end_is_refused(client):
    response = await client.post("/echo", content=b"[" * 30_000, headers=JSON)
    assert problem(response) == (400, "malformed-request")


@pytest.mark.parametrize("text", ['{"text": "a\\u0000"}', '{"text": "a", "more": ["x", {"y": "\\u0000"}]}', '{"a\\u0000": "b"}'])
async def test_the_character_nul_is_refused_because_postgresql_cannot_store_it(client, text):
    response = await client.post("/echo", content=text.encode(), headers=JSON)
    assert problem(response) == (422, "invalid-request")
    assert response.json()["errors"][0]["rule"] == "string_nul"


async def test_an_escaped_backslash_before_u0000_is_no_nul(client):
    response = await client.post("/echo", content=b'{"text": "\\\\u0000"}', headers=JSON)
    assert response.status_code == 200
    assert response.json()["text"] == "\\u0000"


async def test_nul_in_path_or_query_is_refused(client):
    assert problem(await client.get("/notes/%00")) == (400, "malformed-request")
    assert problem(await client.get("/boom?name=%00")) == (422, "invalid-request")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
async def test_a_body_that_is_not_declared_as_json_is_refused(client, content_type):
    response = await client.post("/echo", content=b'{"text": "a"}', headers={"Content-Type": content_type})
    assert problem(response) == (415, "unsupported-media-type")


async def test_a_compressed_body_is_refused(client):
    response = await client.post("/echo", content=b"xx", headers={**JSON, "Content-Encoding": "gzip"})
    assert problem(response) == (415, "unsupported-media-type")


async def test_a_body_over_the_limit_is_refused_by_its_declared_length(client):
    response = await client.post("/echo", json={"text": "a" * 70_000})
    assert problem(response) == (413, "payload-too-large")


async def test_a_chunked_body_over_the_limit_is_refused_as_soon_as_it_is_over(client):
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 1024

    response = await client.post("/echo", content=chunks(), headers={**JSON, "Transfer-Encoding": "chunked"})
    assert problem(response) == (413, "payload-too-large")
    assert sent < 100


async def test_a_declared_length_that_is_no_number_is_refused(client):
    response = await client.post("/echo", content=b"{}", headers={**JSON, "Content-Length": "-1"})
    assert problem(response) == (400, "malformed-request")


async def test_unknown_fields_are_refused_by_name_without_their_value(client):
    response = await client.post("/echo", json={"text": "a", "mood": "secret-value"})
    assert problem(response) == (422, "invalid-request")
    assert response.json()["errors"] == [
        {"location": ["body", "mood"], "rule": "extra_forbidden", "message": "Extra inputs are not permitted"}
    ]


async def test_a_wrong_type_is_refused_without_its_value(client):
    response = await client.post("/echo", json={"text": "a", "about": "secret-value"})
    assert problem(response) == (422, "invalid-request")
    assert "secret-value" not in response.text


async def test_an_unknown_path_and_an_unknown_method_are_problems_too(client):
    assert problem(await client.get("/nowhere")) == (404, "not-found")
    response = await client.delete("/echo")
    assert problem(response) == (405, "method-not-allowed")
    assert "POST" in response.headers["allow"]


async def test_an_unexpected_error_says_nothing_of_its_cause(client, capsys):
    response = await client.get("/boom?mail=robin@example.test")
    assert problem(response) == (500, "unexpected-error")
    assert response.json()["title"] == "Unexpected error"
    assert "robin" not in response.text
    assert "robin" not in "".join(capsys.readouterr())


async def test_a_database_that_is_away_is_answered_with_when_to_come_back(client, issuer, app):
    async with app.router.lifespan_context(app):
        headers = issuer.headers(role="PATIENT", tenant_id=uuid4())
        response = await client.get(f"/notes/{uuid4()}", headers=headers)
    assert problem(response) == (503, "service-unavailable")
    assert response.headers["retry-after"] == "1"


async def test_a_request_without_a_token_is_refused_without_a_reason(client):
    response = await client.get(f"/notes/{uuid4()}")
    assert problem(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "detail" not in response.json()


async def test_another_role_is_refused_without_a_reason(client, issuer):
    response = await client.get("/admin", headers=issuer.headers(role="PATIENT", tenant_id=uuid4()))
    assert problem(response) == (403, "forbidden")
    assert "detail" not in response.json()
    allowed = await client.get("/admin", headers=issuer.headers(role="ADMINISTRATOR", tenant_id=uuid4()))
    assert allowed.status_code == 200


@pytest.mark.parametrize("path", ["/echo", "/nowhere", "/boom", "/health/live"])
async def test_every_answer_carries_the_security_headers_and_a_request_id(client, path):
    response = await client.get(path)
    assert {name: response.headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert UUID(response.headers["x-request-id"]).version == 7


async def test_the_callers_request_id_is_kept(client):
    response = await client.get("/nowhere", headers={"X-Request-Id": "abc-1.2_3"})
    assert response.headers["x-request-id"] == "abc-1.2_3"
    assert response.json()["instance"] == "urn:bloom:request:abc-1.2_3"


@pytest.mark.parametrize("forged", ["a b", "x" * 65, "robin@example.test", 'a"b', "a;b"])
async def test_a_request_id_that_could_carry_other_things_is_replaced(client, forged):
    response = await client.get("/nowhere", headers={"X-Request-Id": forged})
    assert UUID(response.headers["x-request-id"])
    assert forged not in response.text


async def test_a_change_needs_the_revision_that_was_seen(client):
    body = {"text": "a"}
    assert problem(await client.put("/echo", json=body)) == (428, "precondition-required")
    assert problem(await client.put("/echo", json=body, headers={"If-Match": '"2"'})) == (412, "precondition-failed")
    assert problem(await client.put("/echo", json=body, headers={"If-Match": "*"})) == (412, "precondition-failed")
    assert (await client.put("/echo", json=body, headers={"If-Match": '"3"'})).status_code == 200


async def test_alive_needs_nothing_and_ready_says_what_is_missing(client):
    assert (await client.get("/health/live")).json() == {"status": "alive"}
    response = await client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "checks": {"database": "not connected"}}


async def test_metrics_count_by_route_template_and_never_by_path(client):
    note_id = uuid4()
    await client.get(f"/notes/{note_id}")
    await client.get("/nowhere/robin")
    text = (await client.get("/metrics")).text
    assert 'bloom_http_requests_total{method="GET",route="/notes/{note_id}",status="401"}' in text
    assert 'route="unmatched",status="404"' in text
    assert str(note_id) not in text
    assert "robin" not in text


@given(
    body=st.binary(max_size=200),
    content_type=st.sampled_from(["application/json", "text/html", "application/json; charset=utf-16"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
async def test_no_bytes_whatever_make_an_unexpected_error(client, body, content_type):
    response = await client.post("/echo", content=body, headers={"Content-Type": content_type})
    assert response.status_code in {200, 400, 415, 422}


def test_the_openapi_document_lists_problems_and_needs_no_server(app):
    document = app.openapi()
    post = document["paths"]["/notes"]["post"]["responses"]
    assert {"201", "400", "401", "409", "413", "415", "422", "500", "503"} <= set(post)
    assert {"400", "404", "422", "500", "503"} <= set(document["paths"]["/notes/{note_id}"]["get"]["responses"])
    assert "ProblemDocument" in document["components"]["schemas"]
    assert "HTTPValidationError" not in str(document)
    assert "/health/live" not in document["paths"]


def test_the_openapi_document_names_the_idempotency_key_and_the_token(app):
    post = app.openapi()["paths"]["/notes"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in post["parameters"]]
    assert post["security"] == [{"HTTPBearer": []}]
    examples = post["responses"]["422"]["content"]["application/problem+json"]["examples"]
    assert set(examples) == {"invalid-request", "idempotency-key-reused"}


def test_an_operation_with_if_match_says_what_becomes_of_a_stale_revision(app):
    assert {"412", "428"} <= set(app.openapi()["paths"]["/echo"]["put"]["responses"])


async def test_a_route_is_named_by_its_whole_template_prefixes_included(client):
    assert (await client.get(f"/houses/7/rooms/{uuid4()}")).status_code == 404
    text = (await client.get("/metrics")).text
    assert 'route="/houses/{house_id}/rooms/{room_id}",status="404"' in text
