"""Each service for real, on PostgreSQL, with three people who use it and records of others that they must never see."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from fastapi import FastAPI

from bloom_events.ids import TenantId
from service_kit.testing import FixedClock, TokenIssuer
from service_kit.unit_of_work import Context, UnitOfWork

ROLES = ("PATIENT", "THERAPIST", "ADMINISTRATOR")

Ids = dict[str, list[str]]


@dataclass
class Person:
    """Somebody who asks: `own` and `foreign` are ids by the name of the parameter or field that takes them.

    `secrets` are texts that only others' records hold; no answer to this person may contain one.
    """

    sign_in: Callable[[], dict[str, str]]
    own: Ids = field(default_factory=dict)
    foreign: Ids = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Sign in again, after what was asked has ended the session."""
        self.headers = self.sign_in()


@dataclass
class Live:
    """A running service and its people by role."""

    url: str
    app: FastAPI
    clock: FixedClock
    loop: asyncio.AbstractEventLoop
    issuer: TokenIssuer = field(default_factory=TokenIssuer)
    people: dict[str, Person] = field(default_factory=dict)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine where the service's connections live."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def uow(self, tenant_id: UUID) -> UnitOfWork:
        """A unit of work as the service itself would make it."""
        context = Context(tenant_id=TenantId(tenant_id), correlation_id=uuid4())
        return UnitOfWork(
            self.app.state.kit.database, source=self.app.state.kit.settings.source, context=context, clock=self.clock
        )

    def ask(self, method: str, path: str, headers: Mapping[str, str], **given: Any) -> httpx.Response:
        """One request that must succeed."""
        response = httpx.request(method, self.url + path, headers=dict(headers), timeout=30, **given)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def bearer(self, role: str, tenant_id: UUID, subject: UUID) -> Callable[[], dict[str, str]]:
        """How somebody whom the service does not know itself signs in."""
        return lambda: self.issuer.headers(role=role, tenant_id=tenant_id, subject=subject)


@contextmanager
def running(app: FastAPI, clock: FixedClock, *, own_tokens: bool = False) -> Iterator[Live]:
    """Run an app on a free port and a thread of its own; it believes the tokens of `Live.issuer` unless it has its own."""
    app.state.kit.clock = clock
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="on"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()))
    issuer = TokenIssuer()
    if not own_tokens:
        app.state.kit.tokens = issuer.verifier()
    thread.start()
    try:
        yield Live(_address(server, thread), app, clock, loop, issuer)
    finally:
        server.should_exit = True
        thread.join(20)
        loop.close()


def _address(server: uvicorn.Server, thread: threading.Thread) -> str:
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the service ended while it started"
        assert time.monotonic() < deadline, "the service did not start"
        time.sleep(0.01)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


def ids(**named: Sequence[object]) -> Ids:
    """Ids as texts by name."""
    return {name: [str(value) for value in values] for name, values in named.items()}
