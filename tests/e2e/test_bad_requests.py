"""What nobody should send: refused by gateway or service with a plain problem that repeats nothing of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.e2e.people import Person, Practice, booking_of, free_slots, open_calendar, slug

INJECTIONS = [
    "'; drop table users; --",
    "1 or 1=1",
    '{"$gt": ""}',
    "../../etc/passwd",
    "x\r\nSet-Cookie: a=1",
    "\u202egnp.exe\x00",
]


@pytest.fixture(scope="module")
def patient(practice: Practice) -> Person:
    return practice.patient()


@pytest.fixture(scope="module")
def therapist(practice: Practice) -> Person:
    return practice.therapist("Dr. Patient")


@pytest.mark.promise("SE5")
@pytest.mark.parametrize("path", ["/api/auth/sign-in", "/api/auth/register", "/api/appointments"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"email": ', {400, 422}),
        (b"", {400, 422}),
        (b"null", {422}),
        (b"[]", {422}),
        (b'"text"', {422}),
        (b"\xff\xfe\x00", {400, 422}),
        (b'{"email": "\\ud800"}', {400, 422}),
        (b"[" * 20_000, {400, 422}),
        (b'{"a": ' + b"9" * 5_000 + b"}", {400, 422}),
        (b'{"email": NaN, "startAt": Infinity}', {400, 422}),
        (b'{"a": "' + b"x" * 70_000 + b'"}', {413}),
    ],
    ids=range(11),
)
def test_a_body_that_cannot_be_meant_is_refused(patient: Person, path: str, body: bytes, status: set[int]) -> None:
    answer = patient.send("POST", path, body)
    assert slug(answer)[0] in status
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [{f"X-Filler-{number}": "x" for number in range(100)}, {"X-Long": "x" * 20_000}, {"Cookie": "bloom_refresh=" + "x" * 20_000}],
    ids=["many", "long", "cookie"],
)
def test_headers_over_the_limit_are_refused(patient: Person, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{patient.url}/api/users/me", headers={**patient.headers, **headers}, timeout=30)
    assert slug(answer) == (431, "headers-too-large")
    assert patient.ask("GET", "/api/users/me").status_code == 200


@pytest.mark.promise("SE5")
@pytest.mark.parametrize(
    "change",
    [
        {"email": 7},
        {"email": ["robin@example.test"]},
        {"email": None},
        {"email": "robin@example.test\r\nBcc: kim@example.test"},
        {"password": {"$ne": ""}},
        {"password": True},
        {"role": "ADMINISTRATOR"},
        {"role": "patient"},
        {"isAdministrator": True},
        {"status": "active"},
        {"tenant": "'; drop table tenants; --"},
        {"tenantId": "018f6f3e-0000-7000-8000-000000000000"},
        {"timeZone": "Mars/Olympus"},
    ],
    ids=str,
)
def test_a_registration_with_wrong_types_or_unknown_fields_is_refused(practice: Practice, change: dict[str, Any]) -> None:
    newcomer = practice.newcomer()
    body = {"email": newcomer.email, "password": newcomer.password, "tenant": newcomer.tenant, "role": "PATIENT", **change}
    answer = newcomer.ask("POST", "/api/auth/register", body)
    assert slug(answer) == (422, "invalid-request")
    assert newcomer.password not in answer.text
    assert newcomer.sign_in().status_code == 401


@pytest.mark.parametrize(
    ("starts", "problem"),
    [
        ("1999-12-31T23:00:00Z", (422, "invalid-request")),
        ("9999-12-31T23:59:59Z", (422, "invalid-request")),
        ("0000-00-00T00:00:00Z", (422, "invalid-request")),
        ("2027-02-30T10:00:00Z", (422, "invalid-request")),
        ("2027-02-28T10:00:00", (422, "invalid-request")),
        ("2027-02-28T25:61:00Z", (422, "invalid-request")),
        ("tomorrow", (422, "invalid-request")),
        (1893456000, (422, "invalid-request")),
        (-timedelta(days=1), (422, "starts-in-the-past")),
        (timedelta(days=400), (422, "beyond-booking-horizon")),
        (timedelta(days=2, seconds=61), (422, "not-a-slot")),
    ],
    ids=str,
)
def test_a_booking_at_a_time_that_cannot_be_is_refused(
    patient: Person, therapist: Person, starts: str | int | timedelta, problem: tuple[int, str]
) -> None:
    ends: object = starts
    if isinstance(starts, timedelta):
        begin = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + starts
        starts, ends = begin.isoformat(), (begin + timedelta(minutes=5)).isoformat()
    body = {"therapistId": therapist.id, "startAt": starts, "endAt": ends, "visitType": "standard"}
    answer = patient.ask("POST", "/api/appointments", body)
    assert (answer.status_code in {409, 422}, slug(answer)[1]) == (True, problem[1])


def next_gap(now: datetime) -> tuple[str, datetime]:
    """A zone whose clocks are put forward within the horizon of booking, and the moment when they are."""
    for zone in ("Europe/Berlin", "America/Santiago", "Australia/Sydney"):
        for hours in range(24, 24 * 175):
            moment = (now + timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
            before, after = ((moment + timedelta(seconds=each)).astimezone(ZoneInfo(zone)).utcoffset() for each in (-1, 0))
            assert before is not None
            assert after is not None
            if after > before:
                return zone, moment
    raise AssertionError("no clock is put forward within 175 days")


def test_a_local_time_that_the_clock_leaves_out_cannot_be_booked_and_no_slot_has_it(practice: Practice, patient: Person) -> None:
    zone, jump = next_gap(datetime.now(UTC))
    therapist = practice.therapist("Dr. Spring Forward", hours=[])
    after = jump.astimezone(ZoneInfo(zone))
    missing = after.replace(tzinfo=None) - timedelta(hours=1)
    day = missing.isoweekday()
    opens, closes = f"{missing:%H:%M}", f"{missing + timedelta(minutes=30):%H:%M}"
    open_calendar(therapist, [{"weekday": day, "opens": opens, "closes": closes}], zone=zone)

    assert free_slots(patient, therapist, starts=jump - timedelta(hours=3), hours=6) == []
    slot = {"startAt": jump.isoformat(), "endAt": (jump + timedelta(minutes=5)).isoformat()}
    assert slug(patient.ask("POST", "/api/appointments", booking_of(therapist, slot)))[1] == "not-a-slot"
    assert free_slots(patient, therapist, starts=jump - timedelta(days=7, hours=3), hours=6) != []


@pytest.mark.promise("SE5")
@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
def test_what_looks_like_sql_or_a_header_stays_text_or_is_refused(practice: Practice, text: str) -> None:
    patient, admin = practice.patient(), practice.administrator
    before = admin.get("/api/users/counts")["total"]
    params = [("/api/therapists", "language"), ("/api/appointments", "cursor"), ("/api/invoices", "status")]
    for path, name in params:
        answer = httpx.get(patient.url + path, params={name: text}, headers=patient.headers, timeout=30)
        assert slug(answer)[0] in {400, 422}, path
        assert "set-cookie" not in answer.headers
    seen = patient.ask("GET", "/api/users/me").headers["etag"]
    renamed = patient.ask("PATCH", "/api/users/me", {"displayName": text}, If_Match=seen)
    assert renamed.status_code in {200, 422}
    if renamed.status_code == 200:
        assert patient.get("/api/users/me")["displayName"] == text.strip()
    stranger = practice.newcomer()
    login = {"email": stranger.email, "password": text, "tenant": stranger.tenant}
    assert stranger.ask("POST", "/api/auth/sign-in", login).status_code in {401, 422}
    assert admin.get("/api/users/counts")["total"] == before


@pytest.mark.parametrize("key", ["a b", "x" * 256, "ä".encode().decode("latin-1")])
def test_an_idempotency_key_that_is_no_token_is_refused(patient: Person, therapist: Person, key: str) -> None:
    (slot, *_) = free_slots(patient, therapist, starts=datetime.now(UTC) + timedelta(days=4))
    body = json.dumps(booking_of(therapist, slot)).encode()
    headers = [(b"idempotency-key", key.encode("latin-1")), (b"content-type", b"application/json")]
    raw = [*headers, *((name.encode(), value.encode()) for name, value in patient.headers.items())]
    answer = httpx.post(f"{patient.url}/api/appointments", content=body, headers=raw, timeout=30)
    assert slug(answer)[0] in {400, 422}
    assert slot in free_slots(patient, therapist, starts=datetime.now(UTC) + timedelta(days=4))


@pytest.mark.parametrize("method", ["DELETE", "PUT", "TRACE", "PROPFIND"])
def test_a_method_that_a_path_does_not_take_is_refused(patient: Person, method: str) -> None:
    answer = patient.ask(method, "/api/appointments")
    assert answer.status_code in {400, 404, 405}
    assert answer.headers["content-type"] == "application/problem+json"
