"""The HTTP interface: who sees and does what, what is refused, and what a repeated request comes to."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from service_kit.testing import TokenIssuer

PAYMENT = {"amountMinor": 14_280, "currency": "EUR", "method": "bank_transfer"}
PRICES = {"prices": [{"visitType": "standard", "currency": "EUR", "netMinor": 12_000, "taxBasisPoints": 1_900}]}
POLICY = {"lateWindowHours": 48, "latePercent": 25, "noShowPercent": 75, "paymentTermDays": 30, "issuerName": "Vale Practice Ltd"}
NOTHING = "00000000-0000-7000-8000-000000000000"


async def an_open_invoice(practice: Any, patient_id: UUID | None = None) -> dict[str, Any]:
    story = practice.story(patient_id=patient_id or uuid4()).booked().completed()
    await practice.hear(story.events)
    (row,) = await practice.rows("select * from invoices where appointment_id = $1", story.appointment_id)
    return dict(row)


def told(response: httpx.Response) -> tuple[int, str]:
    """What an answer tells its reader, without the id of the trace, which is another one every time."""
    return response.status_code, json.dumps({name: value for name, value in response.json().items() if name != "trace_id"})


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["type"].removeprefix("urn:bloom:problem:")


async def test_a_patient_sees_own_invoices_and_no_others(practice: Any, client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    await practice.with_prices()
    patient_id = uuid4()
    mine = await an_open_invoice(practice, patient_id)
    await an_open_invoice(practice)
    headers = issuer.headers(role="PATIENT", tenant_id=practice.tenant_id, subject=patient_id)
    listed = (await client.get("/api/invoices", headers=headers)).json()

    assert [item["id"] for item in listed["items"]] == [str(mine["id"])]
    assert listed["nextCursor"] is None


async def test_an_invoice_shows_its_lines_amounts_and_revision(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    invoice = await an_open_invoice(practice)
    response = await client.get(f"/api/invoices/{invoice['id']}", headers=administrator)
    shown = response.json()

    assert response.headers["ETag"] == f'"{invoice["revision"]}"'
    assert (shown["number"], shown["status"], shown["dueOn"]) == ("INV-000001", "open", "2026-03-17")
    assert (shown["netMinor"], shown["taxMinor"], shown["totalMinor"]) == (12_000, 2_280, 14_280)
    assert shown["lines"] == [
        {
            "kind": "visit", "visitType": "standard", "visitStartsAt": "2026-03-05T09:00:00Z", "priceMinor": 12_000,
            "percent": 100, "taxBasisPoints": 1_900, "netMinor": 12_000, "taxMinor": 2_280, "totalMinor": 14_280,
        }
    ]  # fmt: skip


async def test_a_foreign_invoice_is_answered_exactly_as_a_missing_one(
    practice: Any, other_practice: Any, client: httpx.AsyncClient, issuer: TokenIssuer
) -> None:
    for each in (practice, other_practice):
        await each.with_prices()
    of_another_patient, of_another_tenant = await an_open_invoice(practice), await an_open_invoice(other_practice)
    headers = issuer.headers(role="PATIENT", tenant_id=practice.tenant_id)
    answers = [
        told(await client.get(f"/api/invoices/{invoice_id}{path}", headers=headers | {"X-Request-Id": "same"}))
        for invoice_id in (of_another_patient["id"], of_another_tenant["id"], NOTHING)
        for path in ("", "/pdf")
    ]

    assert len(set(answers)) == 1
    assert answers[0][0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("GET", "/totals"), ("GET", f"/{NOTHING}"), ("GET", f"/{NOTHING}/pdf"), ("GET", "/prices"),
        ("PUT", "/prices"), ("GET", "/policy"), ("PUT", "/policy"), ("POST", f"/{NOTHING}/payments"),
        ("POST", f"/{NOTHING}/void"),
    ],
)  # fmt: skip
async def test_a_therapist_may_do_nothing_here(
    practice: Any, client: httpx.AsyncClient, issuer: TokenIssuer, method: str, path: str
) -> None:
    headers = issuer.headers(role="THERAPIST", tenant_id=practice.tenant_id) | {"If-Match": '"1"'}
    bodies = {"/prices": PRICES, "/policy": POLICY, f"/{NOTHING}/payments": PAYMENT, f"/{NOTHING}/void": {"reason": "waived"}}
    response = await client.request(
        method, f"/api/invoices{path}", headers=headers, json=bodies.get(path) if method != "GET" else None
    )

    assert problem(response) == (403, "forbidden")
    assert "detail" not in response.json()


@pytest.mark.parametrize(
    ("request_line", "body"),
    [
        ("GET /totals", None),
        ("GET /prices", None),
        ("PUT /prices", PRICES),
        ("GET /policy", None),
        ("PUT /policy", POLICY),
        (f"POST /{NOTHING}/payments", PAYMENT),
        (f"POST /{NOTHING}/void", {"reason": "waived"}),
    ],
)
async def test_a_patient_may_not_do_what_administrators_do(
    practice: Any, client: httpx.AsyncClient, issuer: TokenIssuer, request_line: str, body: Any
) -> None:
    headers = issuer.headers(role="PATIENT", tenant_id=practice.tenant_id) | {"If-Match": '"1"'}
    method, path = request_line.split(" ")

    assert problem(await client.request(method, f"/api/invoices{path}", headers=headers, json=body)) == (403, "forbidden")


@pytest.mark.parametrize("path", ["", "/totals", "/prices", "/policy", f"/{NOTHING}", f"/{NOTHING}/pdf"])
async def test_nobody_gets_anything_without_a_token(client: httpx.AsyncClient, path: str) -> None:
    assert problem(await client.get(f"/api/invoices{path}")) == (401, "unauthorized")


async def test_an_administrator_filters_by_state_currency_patient_and_time(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    patient_id = uuid4()
    await an_open_invoice(practice, patient_id)
    await practice.hear(practice.story().booked().events)

    async def count(**parameters: Any) -> int:
        response = await client.get("/api/invoices", headers=administrator, params=parameters)
        assert response.status_code == 200, response.text
        return len(response.json()["items"])

    assert [await count(), await count(status="draft"), await count(status=["draft", "open"])] == [2, 1, 2]
    assert [await count(currency="EUR"), await count(currency="USD"), await count(patientId=str(patient_id))] == [2, 0, 1]
    assert await count(**{"from": "2026-03-03T00:00:00Z", "to": "2026-03-04T00:00:00Z"}) == 1
    assert await count(**{"from": "2026-03-04T00:00:00Z"}) == 0


async def test_pages_follow_each_other_without_loss_or_repetition(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    for _ in range(7):
        await practice.hear(practice.story().booked().events)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        parameters: dict[str, Any] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/invoices", headers=administrator, params=parameters)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]

    assert cursor is None
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("query", ["cursor=%27%20or%201=1", "cursor=W10", "limit=0", "limit=201", "status=gone", "currency=euro",
                                   "from=1", "patientId=x", "currency=ZZZ", "from=9999-12-31T23:59:59-12:00"])  # fmt: skip
async def test_a_query_that_cannot_be_meant_is_refused(
    client: httpx.AsyncClient, administrator: dict[str, str], query: str
) -> None:
    assert (await client.get(f"/api/invoices?{query}", headers=administrator)).status_code == 422


async def test_totals_are_summed_by_currency_and_state(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    for _ in range(2):
        await an_open_invoice(practice)
    await practice.hear(practice.story().booked().events)
    totals = (await client.get("/api/invoices/totals", headers=administrator)).json()["totals"]

    assert [(t["currency"], t["status"], t["invoices"], t["totalMinor"]) for t in totals] == [
        ("EUR", "draft", 1, 14_280),
        ("EUR", "open", 2, 28_560),
    ]


async def test_a_payment_of_the_whole_amount_settles_the_invoice(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    invoice = await an_open_invoice(practice)
    response = await client.post(f"/api/invoices/{invoice['id']}/payments", headers=administrator, json=PAYMENT)

    assert (response.status_code, response.json()["status"]) == (201, "paid")
    assert await practice.balance() == {"cash": 14_280, "revenue": -12_000, "tax_payable": -2_280}
    assert await practice.rows("select amount_minor, method from payments") == [
        {"amount_minor": 14_280, "method": "bank_transfer"}
    ]


@pytest.mark.parametrize("amount", [14_279, 14_281, 1])
async def test_a_part_payment_and_an_overpayment_are_refused(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str], amount: int
) -> None:
    await practice.with_prices()
    invoice = await an_open_invoice(practice)
    response = await client.post(
        f"/api/invoices/{invoice['id']}/payments", headers=administrator, json=PAYMENT | {"amountMinor": amount}
    )

    assert problem(response) == (409, "payment-amount-mismatch")
    assert await practice.rows("select 1 from payments") == []


async def test_a_draft_cannot_be_paid_and_a_paid_invoice_not_again(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    invoice = await an_open_invoice(practice)
    await practice.hear(practice.story().booked().events)
    (draft,) = await practice.rows("select id from invoices where status = 'draft'")
    paths = [f"/api/invoices/{each}/payments" for each in (invoice["id"], invoice["id"], draft["id"])]
    responses = [await client.post(path, headers=administrator, json=PAYMENT) for path in paths]

    assert responses[0].status_code == 201
    assert [problem(response) for response in responses[1:]] == [(409, "invoice-state-conflict")] * 2


async def test_a_payment_repeated_with_its_key_is_recorded_once_and_answered_alike(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    invoice = await an_open_invoice(practice)
    path, headers = f"/api/invoices/{invoice['id']}/payments", administrator | {"Idempotency-Key": "payment-1"}
    at_once = await asyncio.gather(*(client.post(path, headers=headers, json=PAYMENT) for _ in range(8)))
    again = await client.post(path, headers=headers, json=PAYMENT)
    other_body = await client.post(path, headers=headers, json=PAYMENT | {"method": "cash"})

    assert {response.status_code for response in at_once} <= {201, 409}
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert {response.content for response in at_once if response.status_code == 201} == {again.content}
    assert problem(other_body) == (422, "idempotency-key-reused")
    assert len(await practice.rows("select 1 from payments")) == 1


async def test_voiding_needs_the_revision_that_was_seen(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    invoice = await an_open_invoice(practice)
    path, body = f"/api/invoices/{invoice['id']}/void", {"reason": "issued_in_error"}
    without = await client.post(path, headers=administrator, json=body)
    stale = await client.post(path, headers=administrator | {"If-Match": '"99"'}, json=body)
    current = await client.post(path, headers=administrator | {"If-Match": f'"{invoice["revision"]}"'}, json=body)

    assert [problem(without), problem(stale)] == [(428, "precondition-required"), (412, "precondition-failed")]
    assert (current.status_code, current.json()["status"], current.json()["number"]) == (200, "void", "INV-000001")
    assert await practice.balance() == {}


async def test_prices_are_set_from_the_revision_that_was_seen_and_keep_their_history(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    empty = await client.get("/api/invoices/prices", headers=administrator)
    first = await client.put("/api/invoices/prices", headers=administrator | {"If-Match": empty.headers["ETag"]}, json=PRICES)
    stale = await client.put("/api/invoices/prices", headers=administrator | {"If-Match": empty.headers["ETag"]}, json=PRICES)
    dearer = {"prices": [PRICES["prices"][0] | {"netMinor": 15_000, "validFrom": "2026-05-01T00:00:00Z"}]}
    second = await client.put("/api/invoices/prices", headers=administrator | {"If-Match": first.headers["ETag"]}, json=dearer)

    assert empty.json() == {"prices": [], "revision": 0}
    assert problem(stale) == (412, "precondition-failed")
    assert [(p["netMinor"], p["isInForce"]) for p in second.json()["prices"]] == [(12_000, True), (15_000, False)]


async def test_a_price_in_the_past_is_refused(practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]) -> None:
    past = {"prices": [PRICES["prices"][0] | {"validFrom": "2026-01-01T00:00:00Z"}]}
    response = await client.put("/api/invoices/prices", headers=administrator | {"If-Match": '"1"'}, json=past)

    assert problem(response) == (409, "price-in-the-past")


async def test_the_policy_is_the_platforms_own_until_one_is_set(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    before = await client.get("/api/invoices/policy", headers=administrator)
    changed = await client.put("/api/invoices/policy", headers=administrator | {"If-Match": before.headers["ETag"]}, json=POLICY)
    after = await client.get("/api/invoices/policy", headers=administrator)

    assert (before.json()["revision"], before.json()["lateWindowHours"]) == (0, 24)
    assert changed.json() == after.json() == POLICY | {"revision": 1}
    assert changed.headers["ETag"] == '"2"'


@pytest.mark.promise("SE5")
@pytest.mark.parametrize(
    "change",
    [
        {"netMinor": -1}, {"netMinor": 10**13}, {"netMinor": 1.5}, {"netMinor": "100"}, {"currency": "euro"}, {"currency": "ZZZ"},
        {"taxBasisPoints": 10_001}, {"visitType": "x'; drop table prices; --"}, {"validFrom": "yesterday"}, {"extra": 1},
    ],
)  # fmt: skip
async def test_a_price_that_makes_no_sense_is_refused_without_an_echo(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str], change: dict[str, Any]
) -> None:
    body = {"prices": [PRICES["prices"][0] | change]}
    response = await client.put("/api/invoices/prices", headers=administrator | {"If-Match": '"1"'}, json=body)

    assert problem(response) == (422, "invalid-request")
    assert "drop table" not in response.text
    assert await practice.rows("select 1 from prices") == []


@pytest.mark.promise("SE5")
@pytest.mark.parametrize("name", ["'; drop table policies; --", "Robert'); delete from invoices; --"])
async def test_text_is_stored_as_text_whatever_sql_it_looks_like(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str], name: str
) -> None:
    body = POLICY | {"issuerName": name}
    response = await client.put("/api/invoices/policy", headers=administrator | {"If-Match": '"1"'}, json=body)

    assert (response.status_code, response.json()["issuerName"]) == (200, name)
    assert await practice.rows("select issuer_name from policies") == [{"issuer_name": name}]


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "日本", "x" * 121])
async def test_an_issuer_that_cannot_be_printed_is_refused(
    client: httpx.AsyncClient, administrator: dict[str, str], name: str
) -> None:
    body = POLICY | {"issuerName": name}
    response = await client.put("/api/invoices/policy", headers=administrator | {"If-Match": '"1"'}, json=body)

    assert problem(response) == (422, "invalid-request")


async def test_the_pdf_is_there_once_the_invoice_is_issued(
    practice: Any, client: httpx.AsyncClient, administrator: dict[str, str]
) -> None:
    await practice.with_prices()
    invoice = await an_open_invoice(practice)
    await practice.hear(practice.story().booked().events)
    (draft,) = await practice.rows("select id from invoices where status = 'draft'")
    issued = await client.get(f"/api/invoices/{invoice['id']}/pdf", headers=administrator)
    not_issued = await client.get(f"/api/invoices/{draft['id']}/pdf", headers=administrator)

    assert (issued.status_code, issued.headers["content-type"]) == (200, "application/pdf")
    assert issued.headers["content-disposition"] == 'attachment; filename="INV-000001.pdf"'
    assert issued.content.startswith(b"%PDF-")
    assert problem(not_issued) == (409, "invoice-not-issued")
