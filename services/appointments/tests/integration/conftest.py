"""The API on a real database, with a clock that stands still, and people of a fresh tenant for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from appointments.main import create_app
from appointments.settings import Settings
from appointments.use_cases import accounts
from bloom_events.auth import Role, TherapistVerified, UserSuspended
from bloom_events.envelope import wrap
from bloom_events.event import Event
from bloom_events.ids import TenantId, UserId
from service_kit.database import Pool
from service_kit.testing import FixedClock, TokenIssuer
from service_kit.unit_of_work import Context, UnitOfWork

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

ISSUER = TokenIssuer()
WHOLE_WEEK = [{"weekday": day, "opens": "09:00", "closes": "17:00"} for day in range(1, 8)]


@pytest.fixture(scope="module")
def database(service_database: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    return service_database("appointments")


@pytest.fixture
def clock(app: FastAPI) -> FixedClock:
    clock = FixedClock()
    app.state.kit.clock = clock
    return clock


def settings_for(database: ServiceDatabase) -> Settings:
    return Settings(
        environment="test",
        database_url=SecretStr(database.app_url),
        # A thousand people wait for eight connections in the tests of double booking.
        database_acquire_seconds=60.0,
    )


@pytest.fixture(scope="module")
async def app(database: ServiceDatabase) -> AsyncIterator[FastAPI]:
    app = create_app(settings_for(database))
    app.state.kit.tokens = ISSUER.verifier()
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://appointments.test", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
async def relay_view(database: ServiceDatabase) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection that may read the outbox of all tenants."""
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

    async def change(self, method: str, path: str, body: Any) -> httpx.Response:
        """PUT or PATCH with the ETag that the path has now."""
        seen = (await self.get(path)).headers["ETag"]
        return await self.ask(method, path, json=body, headers={"If-Match": seen})


@dataclass
class Clinic:
    """A tenant of its own with people and a therapist who is open from nine to five, UTC, every day."""

    client: httpx.AsyncClient
    app: FastAPI
    clock: FixedClock
    relay_view: asyncpg.Connection[asyncpg.Record]
    tenant_id: TenantId = field(default_factory=lambda: TenantId(uuid4()))

    @property
    def pool(self) -> Pool:
        pool: Pool = self.app.state.kit.database
        return pool

    def person(self, role: str, person_id: UUID | None = None) -> Person:
        return Person(person_id or uuid4(), role, self.tenant_id, self.client)

    def patient(self) -> Person:
        return self.person("PATIENT")

    def administrator(self) -> Person:
        return self.person("ADMINISTRATOR")

    def uow(self) -> UnitOfWork:
        context = Context(tenant_id=self.tenant_id, correlation_id=uuid4())
        return UnitOfWork(self.pool, source="/bloom/appointments", context=context, clock=self.clock, acquire_seconds=60)

    def told(self, event: Event, *, at: datetime | None = None) -> Any:
        """The event as it would arrive from auth."""
        time = at or self.clock.moment
        return wrap(event, source="/bloom/auth", tenant_id=self.tenant_id, time=time, correlation_id=uuid4())

    async def therapist(self, name: str = "Dr. Robin Vale", *, open_on: Any = WHOLE_WEEK, **profile: Any) -> Person:
        """A verified therapist who takes new patients; slots are 50 minutes and ten apart unless the profile says otherwise."""
        therapist = self.person("THERAPIST")
        verified = TherapistVerified(user_id=UserId(therapist.id), display_name=name)
        await accounts.welcome_therapist(self.uow(), self.told(verified))
        changed = await therapist.change("PATCH", "/api/therapists/me", {"acceptsNewPatients": True, **profile})
        assert changed.status_code == 200, changed.text
        if open_on:
            week = await therapist.change("PUT", "/api/therapists/me/availability", {"hours": open_on})
            assert week.status_code == 200, week.text
        return therapist

    async def suspend(self, therapist: Person) -> None:
        suspended = UserSuspended(user_id=UserId(therapist.id), role=Role.THERAPIST)
        await accounts.note_suspension(self.uow(), self.told(suspended))

    def times(self, *, days: float = 1, hours: float = 1, minutes: float = 50) -> dict[str, str]:
        """A slot by its distance from the clock's day at 09:00."""
        start = self.clock.moment.replace(hour=9, minute=0) + timedelta(days=days, hours=hours)
        return {"startAt": _written(start), "endAt": _written(start + timedelta(minutes=minutes))}

    async def book(self, patient: Person, therapist: Person, **when: float) -> dict[str, Any]:
        body = {"therapistId": str(therapist.id), "visitType": "standard", **self.times(**when)}
        answer = await patient.post("/api/appointments", body)
        assert answer.status_code == 201, answer.text
        appointment: dict[str, Any] = answer.json()["appointment"]
        return appointment

    def move_to_start(self, appointment: dict[str, Any], **past: float) -> None:
        """Sets the clock to the start of the visit, or so much later."""
        self.clock.moment = datetime.fromisoformat(appointment["startAt"]) + timedelta(**past)

    async def published(self, kind: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """What this tenant has in the outbox, in order: type and body."""
        query = "select type, payload from outbox where tenant_id = $1 and ($2::text is null or type = $2) order by id"
        return [(row["type"], orjson.loads(row["payload"])) for row in await self.relay_view.fetch(query, self.tenant_id, kind)]


@pytest.fixture
def clinic(client: httpx.AsyncClient, app: FastAPI, clock: FixedClock, relay_view: asyncpg.Connection[asyncpg.Record]) -> Clinic:
    return Clinic(client, app, clock, relay_view)


@pytest.fixture
def other_clinic(clinic: Clinic) -> Clinic:
    return Clinic(clinic.client, clinic.app, clinic.clock, clinic.relay_view)


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
