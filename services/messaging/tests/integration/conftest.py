"""The API on a real database, with a clock that stands still, and people of a fresh tenant for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from bloom_events.appointments import AppointmentBooked, AppointmentCancelled, AppointmentEvent, VisitType
from bloom_events.auth import Role, TherapistVerified, UserRegistered, UserSuspended
from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId, UserId
from messaging.agents import handlers
from messaging.clients.keys.file_keys import new_key_file
from messaging.clients.keys.keyring import Keyring
from messaging.clients.wake import Waker
from messaging.main import create_app
from messaging.settings import Settings
from service_kit.database import Pool
from service_kit.service_tokens import ServiceTokenSigner, new_service_key, public_service_key
from service_kit.testing import FixedClock, TokenIssuer
from service_kit.unit_of_work import Context, UnitOfWork

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

ISSUER = TokenIssuer()
SERVICE_KEYS = {name: new_service_key() for name in ("ml-scoring", "notifications")}


@pytest.fixture(scope="module")
def database(service_database: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    return service_database("messaging")


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key-encryption-keys.json"
    path.write_text(new_key_file("first"))
    return path


@pytest.fixture(scope="module")
def settings(database: ServiceDatabase, key_file: Path) -> Settings:
    return settings_of(database, key_file)


def settings_of(database: ServiceDatabase, key_file: Path) -> Settings:
    return Settings(
        environment="test",
        database_url=SecretStr(database.app_url),
        relay_database_url=SecretStr(database.relay_url),
        key_encryption=f"file:{key_file}",
        trusted_services={name: public_service_key(key) for name, key in SERVICE_KEYS.items()},
        # Many people wait for eight connections in the tests of simultaneous writing.
        database_acquire_seconds=60.0,
        writing_limit_per_person="100000/minute",
        writing_limit_per_conversation="100000/minute",
        receipt_limit_per_person="100000/minute",
        search_limit_per_person="100000/minute",
        opening_limit_per_person="100000/minute",
    )


@pytest.fixture(scope="module")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    app.state.kit.tokens = ISSUER.verifier()
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def clock(app: FastAPI) -> FixedClock:
    clock = FixedClock()
    app.state.kit.clock = clock
    return clock


@pytest.fixture(scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://messaging.test", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
async def relay_view(database: ServiceDatabase) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection that may read the outbox and the wrapped keys of all tenants."""
    connection = await asyncpg.connect(database.relay_url)
    yield connection
    await connection.close()


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    id: UUID
    role: str
    tenant_id: TenantId
    client: httpx.AsyncClient

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **given: Any) -> httpx.Response:
        token = ISSUER.headers(role=self.role, tenant_id=self.tenant_id, subject=self.id)
        return await self.client.request(method, path, headers={**token, **(headers or {})}, **given)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", path, json=body, headers=named)

    async def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("PATCH", path, json=body, headers=named)

    async def delete(self, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("DELETE", path, headers=named)

    async def send(self, conversation_id: str, body: str, **more: Any) -> dict[str, Any]:
        """A message that has to be taken."""
        answer = await self.post("/api/messages", {"conversationId": conversation_id, "body": body, **more})
        assert answer.status_code == 201, answer.text
        message: dict[str, Any] = answer.json()["message"]
        return message

    async def changes(self, conversation_id: str, after: int = 0, limit: int = 200) -> list[dict[str, Any]]:
        answer = await self.get(f"/api/conversations/{conversation_id}/changes", after=after, limit=limit)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def history(self, conversation_id: str) -> list[dict[str, Any]]:
        answer = await self.get(f"/api/conversations/{conversation_id}/messages", limit=200)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def search(self, text: str, **more: Any) -> dict[str, Any]:
        answer = await self.post("/api/messages/search", {"text": text, **more})
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page


@dataclass
class Practice:
    """A tenant of its own with people who hear of each other as auth and appointments would tell."""

    client: httpx.AsyncClient
    app: FastAPI
    clock: FixedClock
    relay_view: asyncpg.Connection[asyncpg.Record]
    tenant_id: TenantId = field(default_factory=lambda: TenantId(uuid4()))

    @property
    def pool(self) -> Pool:
        pool: Pool = self.app.state.kit.database
        return pool

    @property
    def keyring(self) -> Keyring:
        keyring: Keyring = self.app.state.kit.resources["keyring"]
        return keyring

    @property
    def waker(self) -> Waker:
        waker: Waker = self.app.state.kit.resources["waker"]
        return waker

    def uow(self) -> UnitOfWork:
        context = Context(tenant_id=self.tenant_id, correlation_id=uuid4())
        return UnitOfWork(self.pool, source="/bloom/messaging", context=context, clock=self.clock, acquire_seconds=60)

    def person(self, role: str, person_id: UUID | None = None) -> Person:
        return Person(person_id or uuid4(), role, self.tenant_id, self.client)

    def administrator(self) -> Person:
        return self.person("ADMINISTRATOR")

    def told(self, event: Event, **more: Any) -> Envelope[Any]:
        """The event as it would arrive from another service."""
        time = more.pop("time", self.clock.moment)
        return wrap(event, source="/bloom/elsewhere", tenant_id=self.tenant_id, time=time, correlation_id=uuid4(), **more)

    async def hear(self, event: Event | Envelope[Any], **more: Any) -> None:
        """Handles the event as the worker does."""
        cause = event if isinstance(event, Envelope) else self.told(event, **more)

        async def unit_of_work_for(_: Envelope[Any]) -> UnitOfWork:
            return self.uow()

        async def waker() -> Waker:
            return self.waker

        await handlers(unit_of_work_for, waker)[type(cause.data)](cause)

    async def patient(self) -> Person:
        person = self.person("PATIENT")
        await self.hear(UserRegistered(user_id=UserId(person.id), role=Role.PATIENT, status="active"))
        return person

    async def therapist(self) -> Person:
        person = self.person("THERAPIST")
        await self.hear(TherapistVerified(user_id=UserId(person.id), display_name="Dr. Robin Vale"))
        return person

    async def suspend(self, person: Person) -> None:
        await self.hear(UserSuspended(user_id=UserId(person.id), role=Role(person.role)))

    def visit(self, patient: Person, therapist: Person, kind: type[AppointmentEvent] = AppointmentBooked, **more: Any) -> Any:
        facts: dict[str, Any] = {
            "appointment_id": AppointmentId(uuid4()),
            "revision": 1,
            "patient_id": PatientId(patient.id),
            "therapist_id": TherapistId(therapist.id),
            "visit_type": VisitType.STANDARD,
            "starts_at": self.clock.moment,
            "ends_at": self.clock.moment + timedelta(hours=1),
        }
        return kind(**{**facts, **more})

    async def book(self, patient: Person, therapist: Person) -> AppointmentEvent:
        booked: AppointmentEvent = self.visit(patient, therapist)
        await self.hear(booked)
        return booked

    async def call_off(self, booked: AppointmentEvent) -> None:
        facts = booked.model_dump() | {"revision": booked.revision + 1}
        await self.hear(AppointmentCancelled(**facts, cancelled_by="therapist", cancelled_at=self.clock.moment))

    async def pair(self) -> tuple[Person, Person, str]:
        """A patient and a therapist with a visit together, and their conversation."""
        patient, therapist = await self.patient(), await self.therapist()
        await self.book(patient, therapist)
        return patient, therapist, await self.open(patient, therapist)

    async def open(self, patient: Person, therapist: Person) -> str:
        answer = await patient.post("/api/conversations", {"kind": "direct", "therapistId": str(therapist.id)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def team(self, patient: Person, lead: Person, *others: Person) -> str:
        body = {"kind": "care_team", "patientId": str(patient.id), "memberIds": [str(each.id) for each in others]}
        answer = await lead.post("/api/conversations", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def published(self, kind: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """What this tenant has in the outbox, in order: type and body."""
        query = "select type, payload from outbox where tenant_id = $1 and ($2::text is null or type = $2) order by id"
        return [(row["type"], orjson.loads(row["payload"])) for row in await self.relay_view.fetch(query, self.tenant_id, kind)]

    async def ask_as(
        self, service: str, path: str, *, audience: str = "messaging", tenant_id: UUID | None = None
    ) -> httpx.Response:
        """What another service asks on an internal route."""
        signer = ServiceTokenSigner(service, SecretStr(SERVICE_KEYS[service]))
        headers = signer.headers(audience, TenantId(tenant_id or self.tenant_id))
        return await self.client.get(path, headers=headers)


@pytest.fixture
def practice(
    client: httpx.AsyncClient, app: FastAPI, clock: FixedClock, relay_view: asyncpg.Connection[asyncpg.Record]
) -> Practice:
    return Practice(client, app, clock, relay_view)


@pytest.fixture
def other_practice(practice: Practice) -> Practice:
    return Practice(practice.client, practice.app, practice.clock, practice.relay_view)
