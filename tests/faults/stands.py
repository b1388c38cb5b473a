"""A service in this process on a real database, behind a proxy that can cut it off: where its commands are made to crash."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from tests.faults.cutting_proxy import CuttingProxy
from tests.faults.file_shelf import FileShelf
from tests.faults.lab import Lab
from tests.faults.whole_database import WholeDatabase

from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import TenantId
from local_stack.services import migrate_service
from messaging.clients.keys.file_keys import new_key_file
from service_kit.consuming import is_dependency_failure
from service_kit.database import Pool, create_pool
from service_kit.testing import FixedClock, TokenIssuer
from service_kit.unit_of_work import Context, UnitOfWork

# A busy machine is not the fault that is looked for.
PATIENCE = 30.0
MORNING = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
_SETTINGS: Mapping[str, dict[str, Any]] = {
    "auth": {
        "master_key": base64.b64encode(b"k" * 32).decode(),
        "signing_key_check_seconds": 300,
        **dict.fromkeys(("sign_in_limit_per_client", "sign_in_limit_per_account", "register_limit_per_client"), "100000/minute"),
        "refresh_limit_per_client": "100000/minute",
    },
    "messaging": dict.fromkeys(
        (
            "writing_limit_per_person",
            "writing_limit_per_conversation",
            "receipt_limit_per_person",
            "opening_limit_per_person",
            "attachment_limit_per_person",
        ),
        "100000/minute",
    ),
    "notifications": {"master_key": base64.b64encode(b"k" * 32).decode()},
}
_SESSIONS = "select count(*) from pg_stat_activity where datname = current_database() and usename like '%\\_app'"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to; a worker's handler answers 204, and 503 when it asks to be tried again."""

    status: int
    body: bytes = b""
    is_replayed: bool = False
    headers: Mapping[str, str] | None = None


Send = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Command:
    """Something a service does: `prepare` makes a scene for it in a tenant of its own and gives what does it there.

    `keyed` commands carry an Idempotency-Key. `apart` names tables that it writes in a transaction of their own, on purpose.
    """

    name: str
    prepare: Callable[[Stand], Awaitable[Send]]
    status: int = 200
    keyed: bool = False
    apart: frozenset[str] = frozenset()


@dataclass
class Stand:
    """A service under test: its app, its clock, the proxy to its database and an eye on all that is in it."""

    service: str
    app: FastAPI
    client: httpx.AsyncClient
    proxy: CuttingProxy
    pool: Pool
    database: WholeDatabase
    clock: FixedClock
    issuer: TokenIssuer

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, key: str | None = None
    ) -> Answer:
        """One request; cookies are given by hand and forgotten."""
        sent = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        response = await self.client.request(method, path, json=body, headers=sent)
        self.client.cookies.clear()
        replayed = response.headers.get("idempotency-replayed") == "true"
        return Answer(response.status_code, response.content, replayed, response.headers)

    def caller(self, role: str, tenant_id: UUID, subject: UUID | None = None) -> dict[str, str]:
        """The token of a person of this tenant."""
        return self.issuer.headers(role=role, tenant_id=tenant_id, subject=subject or uuid4())

    def told(self, tenant_id: UUID, event: Event) -> Envelope[Any]:
        """The event as it would arrive from its service."""
        return wrap(event, source="/bloom/tests", tenant_id=TenantId(tenant_id), time=self.clock(), correlation_id=uuid4())

    def unit_of_work(self, cause: Envelope[Any]) -> UnitOfWork:
        """As a worker gives it to the handler of an event."""
        context = Context(cause.tenant_id, cause.correlation_id, cause.id)
        return UnitOfWork(self.pool, source=f"/bloom/{self.service}", context=context, clock=self.clock, acquire_seconds=PATIENCE)

    def hearing(self, handle: Callable[[UnitOfWork], Awaitable[None]], cause: Envelope[Any]) -> Send:
        """What a worker does with an event, as a command."""
        return self.doing(lambda: handle(self.unit_of_work(cause)))

    def doing(self, work: Callable[[], Awaitable[object]]) -> Send:
        """Work that no request asks for, as a command; an error for which a worker would park its event counts as 500."""

        async def send() -> Answer:
            try:
                await work()
            except Exception as error:  # told apart as the consuming policy does
                return Answer(503 if is_dependency_failure(error) else 500, type(error).__name__.encode())
            return Answer(204)

        return send

    async def sessions_are_gone(self) -> bool:
        """Whether PostgreSQL has noticed that the service's connections broke."""
        return bool(await self.database.connection.fetchval(_SESSIONS) == 0)


@asynccontextmanager
async def standing(lab: Lab, service: str, *, autocommit: bool = False) -> AsyncIterator[Stand]:
    """A stand on a fresh database of the lab's PostgreSQL."""
    # Each crash would be told with its frames.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    name = f"{service}_stand_{uuid4().hex[:8]}"
    made = lab.postgres.create_service_database(service, name=name)
    try:
        await migrate_service(service, made)
        async with AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(CuttingProxy(made.app_url, autocommit=autocommit))
            watching = await asyncpg.connect(lab.postgres.url("postgres", name))
            stack.push_async_callback(watching.close)
            yield await _stand(lab, service, stack, proxy, await WholeDatabase.of(watching))
    finally:
        structlog.reset_defaults()
        lab.postgres.drop_database(name)


async def _stand(lab: Lab, service: str, stack: AsyncExitStack, proxy: CuttingProxy, database: WholeDatabase) -> Stand:
    pool = await create_pool(SecretStr(proxy.url), size=4, application_name=service)
    stack.callback(pool.terminate)
    clock = FixedClock(MORNING)
    app = _app(lab, service, proxy.url)
    app.state.kit.clock, app.state.kit.database = clock, pool
    if service == "messaging":
        app.state.kit.resources["objects"] = FileShelf()
    if service != "auth":
        app.state.kit.tokens = lab.issuer.verifier()
    await stack.enter_async_context(app.router.lifespan_context(app))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://stand.test", timeout=30))
    return Stand(service, app, client, proxy, pool, database, clock, lab.issuer)


def _app(lab: Lab, service: str, database_url: str) -> FastAPI:
    settings = import_module(f"{service}.settings").Settings(
        environment="test",
        database_url=database_url,
        database_acquire_seconds=PATIENCE,
        token_issuer=lab.issuer.issuer,
        token_audience=lab.issuer.audience,
        **_SETTINGS.get(service, {}),
        **({"key_encryption": _key_file(lab)} if service == "messaging" else {}),
    )
    app: FastAPI = import_module(f"{service}.main").create_app(settings)
    return app


def _key_file(lab: Lab) -> str:
    """Where this lab's conversations have their key-encryption key."""
    path = lab.folder / "key-encryption-keys.json"
    if not path.exists():
        path.write_text(new_key_file("lab"))
    return f"file:{path}"
