"""The commands that take an Idempotency-Key, as requests to running APIs, each with something of its own to work on."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr
from tests.faults.bookings import Clinic, open_clinic, slots
from tests.faults.crash_auth import PASSWORD
from tests.faults.lab import World

from billing.use_cases.terms import NewPrice, set_prices
from billing.use_cases.visits import bill_visit
from bloom_events.appointments import AppointmentCompleted, VisitType
from bloom_events.envelope import Envelope, wrap
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId, new_id
from service_kit.database import create_pool
from service_kit.unit_of_work import Context, UnitOfWork

AUTH_SETTINGS = {
    "AUTH_MASTER_KEY": base64.b64encode(b"k" * 32).decode(),
    "AUTH_REGISTER_LIMIT_PER_CLIENT": "1000000/minute",
    "AUTH_HASH_QUEUE_LIMIT": "500",
    # The long form outlasts a token of ten minutes.
    "AUTH_ACCESS_TOKEN_MINUTES": "60",
}
_THERAPISTS = 100
_TOTAL_MINOR = 11_900


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and another body under which its key must be refused."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    other_body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A command: the service that takes it, endless requests of it, and how to count what they did."""

    name: str
    service: str
    requests: Iterator[Request]
    effects: str
    """Counts rows that each of these requests adds exactly once."""


async def kinds(world: World, ports: Mapping[str, int], *, count: int) -> list[Kind]:
    """All five, with `count` of them prepared where they need preparation."""
    clinic = await open_clinic(world, therapists=_THERAPISTS)
    slug, administrator = await _organisation(world, ports["auth"])
    invoices = await _open_invoices(world, count)
    return [
        Kind("book a visit", "appointments", _bookings(world, clinic), "select count(*) from appointments"),
        Kind("add an exception", "appointments", _exceptions(world, clinic), "select count(*) from availability_exceptions"),
        Kind("record a payment", "billing", _payments(world, *invoices), "select count(*) from payments"),
        Kind("register", "auth", _registrations(slug), "select count(*) from users"),
        Kind("invite a therapist", "auth", _invitations(administrator), "select count(*) from invitations"),
    ]


def _bookings(world: World, clinic: Clinic) -> Iterator[Request]:
    for slot in slots():
        for therapist in clinic.therapists:
            body = {"therapistId": str(therapist), "visitType": "standard", **slot}
            headers = world.lab.issuer.headers(role="PATIENT", tenant_id=clinic.tenant_id)
            yield Request("/api/appointments", headers, body, {**body, "visitType": "extended"})


def _exceptions(world: World, clinic: Clinic) -> Iterator[Request]:
    # Years after whatever is booked.
    day = date(2150, 1, 1)
    while True:
        day += timedelta(days=1)
        for therapist in clinic.therapists:
            headers = world.lab.issuer.headers(role="THERAPIST", tenant_id=clinic.tenant_id, subject=therapist)
            body = {"kind": "closed", "firstOn": day.isoformat(), "lastOn": day.isoformat()}
            other = {**body, "lastOn": (day + timedelta(days=1)).isoformat()}
            yield Request("/api/therapists/me/exceptions", headers, body, other)


def _payments(world: World, tenant_id: UUID, invoices: list[UUID]) -> Iterator[Request]:
    for invoice_id in invoices:
        headers = world.lab.issuer.headers(role="ADMINISTRATOR", tenant_id=tenant_id)
        body = {"amountMinor": _TOTAL_MINOR, "currency": "EUR", "method": "card"}
        yield Request(f"/api/invoices/{invoice_id}/payments", headers, body, {**body, "method": "cash"})


def _registrations(slug: str) -> Iterator[Request]:
    while True:
        name = uuid4().hex
        body = {"email": f"{name}@example.test", "password": PASSWORD, "tenant": slug}
        yield Request("/api/auth/register", {}, body, {**body, "email": f"{name}-2@example.test"})


def _invitations(administrator: Mapping[str, str]) -> Iterator[Request]:
    while True:
        name = uuid4().hex
        body = {"email": f"{name}@example.test"}
        yield Request("/api/auth/invitations", administrator, body, {"email": f"{name}-2@example.test"})


async def _organisation(world: World, port: int) -> tuple[str, dict[str, str]]:
    """A tenant of auth and the token of its administrator."""
    connection = await world.superuser("auth")
    slug = "practice"
    try:
        await connection.execute("insert into tenants values ($1, $2, 'A practice', now())", uuid4(), slug)
        body = {"email": "admin@example.test", "password": PASSWORD, "tenant": slug}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            (await client.post("/api/auth/register", json=body)).raise_for_status()
            await connection.execute("update users set role = 'ADMINISTRATOR'")
            signed_in = (await client.post("/api/auth/sign-in", json=body)).raise_for_status()
    finally:
        await connection.close()
    return slug, {"Authorization": f"Bearer {json.loads(signed_in.content)['access_token']}"}


async def _open_invoices(world: World, count: int) -> tuple[UUID, list[UUID]]:
    """So many open invoices of a new tenant, made by billing's own code."""
    database, tenant_id = await world.database("billing"), TenantId(uuid4())
    async with await create_pool(SecretStr(database.app_url), size=2, application_name="faults") as pool:
        uow = UnitOfWork(pool, source="/bloom/billing", context=Context(tenant_id, new_id()))
        price = NewPrice(VisitType.STANDARD, "EUR", 10_000, 1_900, None)
        await set_prices(uow, [price], seen=0, set_by=uuid4(), now=datetime.now(UTC))
        for _ in range(count):
            await bill_visit(uow, _visit(tenant_id), now=datetime.now(UTC))
    connection = await world.superuser("billing")
    try:
        rows = await connection.fetch("select id from invoices where status = 'open'")
    finally:
        await connection.close()
    return tenant_id, [row["id"] for row in rows]


def _visit(tenant_id: TenantId) -> Envelope[AppointmentCompleted]:
    now = datetime.now(UTC)
    held = AppointmentCompleted(
        appointment_id=AppointmentId(new_id()),
        revision=1,
        patient_id=PatientId(uuid4()),
        therapist_id=TherapistId(uuid4()),
        visit_type=VisitType.STANDARD,
        starts_at=now,
        ends_at=now + timedelta(hours=1),
        completed_at=now,
    )
    return wrap(held, source="/bloom/appointments", tenant_id=tenant_id, time=now, correlation_id=new_id())
