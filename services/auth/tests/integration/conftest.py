"""A running auth on real PostgreSQL and Valkey, spoken to as people and their browsers would."""

import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson
import pytest

from auth.main import create_app
from auth.settings import Settings
from service_kit.testing import FixedClock

PASSWORD = "seven green bottles"
NUMBERS = itertools.count(1)
ORIGIN = "https://auth.test"


class Device:
    """One browser or program with its own cookies; `bearer` and `csrf` are set by signing in."""

    def __init__(self, service: "Service") -> None:
        self.service = service
        self.address = f"10.1.{next(NUMBERS) // 250}.{next(NUMBERS) % 250}"
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=service.app), base_url=ORIGIN)
        self.bearer: str | None = None
        self.csrf: str | None = None
        self.user: dict = {}

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"X-Forwarded-For": self.address}
        if self.bearer:
            headers["Authorization"] = f"Bearer {self.bearer}"
        headers |= options.pop("headers", {})
        # As bytes, so that a test may send what no well-behaved client would.
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        return await self.http.request(method, path, headers=raw, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.send("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.send("POST", path, **options)

    async def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        response = await self.post("/api/auth/sign-in", json={"email": email, "password": password, **more})
        return self.remember(response)

    async def refresh(self, **headers: str) -> httpx.Response:
        given = {"X-CSRF-Token": self.csrf} if self.csrf else {}
        return self.remember(await self.post("/api/auth/refresh", headers=given | headers))

    async def sign_out(self) -> httpx.Response:
        return await self.post("/api/auth/sign-out", headers={"X-CSRF-Token": self.csrf or ""})

    def remember(self, response: httpx.Response) -> httpx.Response:
        if response.status_code == 200:
            body = response.json()
            self.bearer, self.csrf, self.user = body["access_token"], body["csrf_token"], body["user"]
        return response

    @property
    def refresh_cookie(self) -> str | None:
        return self.http.cookies.get("bloom_refresh")


class Service:
    """The app with its clock and one tenant of its own, which is also the default one."""

    def __init__(self, app, settings: Settings, database, tenant_id: UUID, clock: FixedClock) -> None:
        self.app = app
        self.settings = settings
        self.database = database
        self.tenant_id = tenant_id
        self.clock = clock
        self.slug = settings.default_tenant
        self.devices: list[Device] = []

    @property
    def tools(self):
        return self.app.state.kit.resources["sign_in"]

    @property
    def pool(self):
        return self.app.state.kit.database

    def device(self) -> Device:
        device = Device(self)
        self.devices.append(device)
        return device

    async def registered(self, role: str = "PATIENT", **more: Any) -> dict:
        body = {"role": role, "email": f"person-{next(NUMBERS)}@example.test", "password": PASSWORD} | more
        if role == "THERAPIST":
            body.setdefault("displayName", "Dr. Robin Vale")
        response = await self.device().post("/api/auth/register", json=body)
        assert response.status_code == 201, response.text
        return response.json()

    async def patient(self) -> Device:
        return await self.signed_in((await self.registered())["email"])

    async def administrator(self) -> Device:
        """Somebody made an administrator as the command does it, signed in."""
        from auth.domain.users import Profile, normalise_email
        from auth.use_cases.registration import Newcomer, hash_new_password, register
        from bloom_events.auth import Role

        email = normalise_email(f"admin-{next(NUMBERS)}@example.test")
        hashed = await hash_new_password(self.tools.hashing, PASSWORD, email=email)
        newcomer = Newcomer(email=email, profile=Profile(), password_hash=hashed)
        await register(self.unit_of_work(), newcomer, role=Role.ADMINISTRATOR, now=self.clock())
        return await self.signed_in(email)

    async def signed_in(self, email: str) -> Device:
        device = self.device()
        response = await device.sign_in(email)
        assert response.status_code == 200, response.text
        return device

    def unit_of_work(self):
        from service_kit.unit_of_work import Context, UnitOfWork

        return UnitOfWork(self.pool, source="/bloom/auth", context=Context(tenant_id=self.tenant_id, correlation_id=uuid4()))

    async def events(self, *types: str) -> list[tuple[str, dict]]:
        """What this tenant has in the outbox, oldest first, as (type, data)."""
        connection = await asyncpg.connect(self.database.relay_url)
        try:
            rows = await connection.fetch("select type, payload from outbox where tenant_id = $1 order by id", self.tenant_id)
        finally:
            await connection.close()
        found = [(row["type"], orjson.loads(row["payload"])) for row in rows]
        return [event for event in found if not types or event[0] in types]

    async def rows(self, statement: str, *values: Any) -> list:
        """What the application role reads in this tenant."""
        from service_kit.testing import as_tenant

        async with as_tenant(self.pool, self.tenant_id) as connection:
            return await connection.fetch(statement, *values)


async def create_tenant(database, slug: str) -> UUID:
    tenant_id = uuid4()
    connection = await asyncpg.connect(database.owner_url)
    try:
        await connection.execute(
            "insert into tenants (id, slug, name, created_at) values ($1, $2, 'A practice', now())", tenant_id, slug
        )
    finally:
        await connection.close()
    return tenant_id


@pytest.fixture(scope="module")
def auth_database(service_database):
    return service_database("auth")


@pytest.fixture
async def start_service(auth_database, valkey_server):
    """Starts auth with a tenant of its own: `await start_service(lockout_failures=3)`."""
    async with AsyncExitStack() as stack:

        async def start(**changed: Any) -> Service:
            return await stack.enter_async_context(running(auth_database, **{"valkey_url": valkey_server.url} | changed))

        yield start


@pytest.fixture
async def service(start_service) -> Service:
    return await start_service()


@asynccontextmanager
async def running(database, **changed: Any) -> AsyncIterator[Service]:
    slug = changed.get("default_tenant") or f"practice-{next(NUMBERS)}-{uuid4().hex[:6]}"
    tenant_id = changed.pop("tenant_id", None) or await create_tenant(database, slug)
    values = {
        "environment": "test", "database_url": database.app_url, "default_tenant": slug,
        "master_key": base64.b64encode(b"k" * 32).decode(), "trusted_proxies": 1, "database_pool_size": 4,
        "hash_queue_limit": 200, "sign_in_limit_per_account": "1000/minute",
    } | changed  # fmt: skip
    settings = Settings(**values)
    app = create_app(settings)
    clock = app.state.kit.clock = FixedClock(datetime(2030, 1, 7, 9, 0, tzinfo=UTC))
    async with app.router.lifespan_context(app):
        service = Service(app, settings, database, tenant_id, clock)
        yield service
        for device in service.devices:
            await device.http.aclose()
