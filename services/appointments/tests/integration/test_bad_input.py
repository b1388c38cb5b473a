"""Whatever is sent, the answer is a plain refusal that repeats nothing of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from service_kit.testing import TokenIssuer, as_tenant

BOOKING = {
    "therapistId": "0195a000-0000-7000-8000-000000000001",
    "startAt": "2030-01-08T10:00:00Z",
    "endAt": "2030-01-08T10:50:00Z",
    "visitType": "standard",
}
ROUTES = [
    ("GET", "/api/therapists"),
    ("GET", "/api/therapists/available"),
    ("GET", "/api/therapists/me"),
    ("PUT", "/api/therapists/me"),
    ("PATCH", "/api/therapists/me"),
    ("GET", "/api/therapists/me/availability"),
    ("PUT", "/api/therapists/me/availability"),
    ("GET", "/api/therapists/me/exceptions"),
    ("POST", "/api/therapists/me/exceptions"),
    ("DELETE", "/api/therapists/me/exceptions/{id}"),
    ("GET", "/api/therapists/{id}"),
    ("GET", "/api/therapists/{id}/slots"),
    ("POST", "/api/appointments"),
    ("GET", "/api/appointments"),
    ("GET", "/api/appointments/{id}"),
    ("POST", "/api/appointments/{id}/reschedule"),
    ("POST", "/api/appointments/{id}/confirm"),
    ("POST", "/api/appointments/{id}/cancel"),
    ("POST", "/api/appointments/{id}/complete"),
    ("POST", "/api/appointments/{id}/no-show"),
    ("POST", "/api/appointments/{id}/correct"),
]


def slug_of(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


async def test_every_route_of_the_service_is_on_the_list_of_these_tests(clinic: Any) -> None:
    document = clinic.app.openapi()
    declared = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    listed = {(method, path.replace("{id}", "{}")) for method, path in ROUTES}
    for name in ("therapist_id", "appointment_id", "exception_id"):
        declared = {(method, path.replace(f"{{{name}}}", "{}")) for method, path in declared}
    assert declared == listed


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_asks_for_a_valid_token(clinic: Any, method: str, path: str) -> None:
    path = path.replace("{id}", str(uuid4()))
    forged = TokenIssuer().headers(role="ADMINISTRATOR", tenant_id=clinic.tenant_id)
    for headers in ({}, forged, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}):
        answer = await clinic.client.request(method, path, headers=headers)
        assert (answer.status_code, slug_of(answer)) == (401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_role_that_nobody_has_may_do_nothing(clinic: Any, method: str, path: str) -> None:
    answer = await clinic.person("OWNER").ask(method, path.replace("{id}", str(uuid4())), headers={"If-Match": '"1"'})
    assert answer.status_code in {403, 422}
    assert answer.status_code == 403 or slug_of(answer) == "invalid-request"


@pytest.mark.parametrize(
    "change",
    [
        {"therapistId": None},
        {"therapistId": "nobody-at-all"},
        {"therapistId": "' or 1=1 --"},
        {"startAt": "0001-01-01T00:00:00+14:00"},
        {"startAt": "9999-12-31T23:59:59-14:00"},
        {"startAt": "2030-01-08T10:00:00"},
        {"startAt": 1893456000},
        {"endAt": "2030-02-30T10:00:00Z"},
        {"endAt": {"$gt": ""}},
        {"visitType": "free"},
        {"visitType": ["standard"]},
        {"note": "please"},
        {"patientId": str(uuid4())},
        {"start_at": "2030-01-08T10:00:00Z"},
    ],
)
async def test_a_booking_that_makes_no_sense_is_refused(clinic: Any, change: dict[str, Any]) -> None:
    answer = await clinic.patient().post("/api/appointments", BOOKING | change)
    assert (answer.status_code, slug_of(answer)) == (422, "invalid-request")
    assert all(str(value) not in answer.text for value in change.values() if isinstance(value, str) and value)


@pytest.mark.parametrize("field", list(BOOKING))
async def test_a_booking_without_one_of_its_fields_is_refused(clinic: Any, field: str) -> None:
    answer = await clinic.patient().post("/api/appointments", {name: BOOKING[name] for name in BOOKING if name != field})
    assert (answer.status_code, slug_of(answer)) == (422, "invalid-request")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"\xff\xfe\x00", 400),
        (b'{"displayName": "\\ud800"}', 400),
        (b"[" * 5000 + b"]" * 5000, 400),
        (b'{"a": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(clinic: Any, body: bytes, status: int) -> None:
    therapist = await clinic.therapist(open_on=None)
    headers = {"Content-Type": "application/json", "If-Match": '"2"'}
    answer = await therapist.ask("PATCH", "/api/therapists/me", content=body, headers=headers)
    assert answer.status_code in {status, 422 if status == 400 else status}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_of_another_kind_is_refused(clinic: Any) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = await clinic.patient().ask("POST", "/api/appointments", content=b"{}", headers=headers)
    assert (answer.status_code, slug_of(answer)) == (415, "unsupported-media-type")


INJECTIONS = [
    "'; drop table appointments; --",
    "1 or 1=1",
    "%27%20or%201=1",
    "en'",
    "\x00",
    "../../etc/passwd",
    "a\r\nSet-Cookie: x=1",
]


@pytest.mark.promise("SE5")
@pytest.mark.parametrize("text", INJECTIONS)
async def test_what_looks_like_sql_or_a_header_stays_text(clinic: Any, text: str) -> None:
    therapist, patient = await clinic.therapist(), clinic.patient()
    await clinic.book(patient, therapist)
    for params in ({"language": text}, {"specialty": text}, {"cursor": text}):
        assert (await patient.get("/api/therapists", **params)).status_code == 422
    for params in ({"status": text}, {"therapistId": text}, {"from": text}, {"cursor": text}):
        assert (await patient.get("/api/appointments", **params)).status_code == 422
    renamed = await therapist.change("PATCH", "/api/therapists/me", {"displayName": text})
    assert renamed.status_code == (422 if "\x00" in text or "\r" in text else 200)
    assert "Set-Cookie" not in renamed.headers
    async with as_tenant(clinic.pool, clinic.tenant_id) as connection:
        assert await connection.fetchval("select count(*) from appointments") == 1


@pytest.mark.parametrize(
    "path", ["/api/appointments/1", "/api/appointments/x/cancel", "/api/therapists/1", "/api/therapists/1/slots"]
)
async def test_an_id_that_is_none_is_refused(clinic: Any, path: str) -> None:
    method = "POST" if path.endswith("cancel") else "GET"
    answer = await clinic.patient().ask(method, path)
    assert (answer.status_code, slug_of(answer)) == (422, "invalid-request")


async def test_unknown_paths_and_methods_are_refused_as_problems(clinic: Any) -> None:
    assert slug_of(await clinic.patient().get("/api/appointment")) == "not-found"
    assert slug_of(await clinic.patient().ask("DELETE", "/api/appointments")) == "method-not-allowed"


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\x7f"])
async def test_an_idempotency_key_that_is_no_token_is_refused(clinic: Any, key: str) -> None:
    answer = await clinic.patient().post("/api/appointments", BOOKING, Idempotency_Key=key)
    assert (answer.status_code, slug_of(answer)) == (422, "invalid-request")
