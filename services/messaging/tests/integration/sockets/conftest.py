"""Socket processes on the test's database and Valkey, and clients that keep everything they are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import socketio
import uvicorn
from pydantic import SecretStr
from services.messaging.tests.integration.conftest import ISSUER, Person, settings_of
from socketio.exceptions import ConnectionError as NotConnected

from messaging.settings import Settings
from messaging.socket.process import create_socket_app, listening_socket, server_options
from service_kit.testing import TokenIssuer

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase
    from local_stack.valkey import ValkeyServer

LIMIT_SECONDS = 40.0
"""How long a test waits for what has to happen."""


@pytest.fixture(scope="module")
def settings(database: ServiceDatabase, key_file: Path, valkey_server: ValkeyServer) -> Settings:
    return settings_of(database, key_file).model_copy(
        update={"valkey_url": SecretStr(valkey_server.url), "port": 0, "socket_frames_at_once": 1_000.0}
    )


async def eventually(is_so: Callable[[], bool], limit_seconds: float = LIMIT_SECONDS) -> bool:
    """Whether it became so in time."""
    deadline = time.monotonic() + limit_seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


@dataclass
class SocketProcess:
    """A socket process in this one, on a port of its own."""

    settings: Settings
    server: uvicorn.Server | None = None
    port: int = 0
    _serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        listening = listening_socket(self.settings.model_copy(update={"port": port}))
        self.port = listening.getsockname()[1]
        app = create_socket_app(self.settings, tokens=ISSUER.verifier())
        options = server_options(self.settings)
        config = uvicorn.Config(app, http="httptools", log_config=None, access_log=False, **options)
        self.server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self.server._serve([listening]))
        while not self.server.started:
            assert not self._serving.done()
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self.server is not None and self._serving is not None:
            self.server.should_exit = True
            await asyncio.wait_for(self._serving, 30)
            self.server = None


StartSockets = Callable[..., Awaitable[SocketProcess]]


@pytest.fixture
async def start_sockets(settings: Settings) -> AsyncIterator[StartSockets]:
    """Starts a socket process with changed settings; all end with the test."""
    started: list[SocketProcess] = []

    async def start(**changed: Any) -> SocketProcess:
        process = SocketProcess(settings.model_copy(update=changed))
        started.append(process)
        await process.start()
        return process

    yield start
    for process in started:
        await process.stop()


@pytest.fixture
async def sockets(start_sockets: StartSockets) -> SocketProcess:
    return await start_sockets()


@dataclass
class Client:
    """A connected client of python-socketio that keeps what it is told, in order."""

    person: Person
    client: socketio.AsyncClient
    told: list[tuple[str, Any]] = field(default_factory=list)
    is_over: bool = False
    refused: str = ""

    def of(self, *events: str) -> list[Any]:
        """What it was told by these events."""
        return [data for event, data in self.told if event in events]

    def sequences(self, conversation_id: str) -> list[int]:
        """The places of the changes that it was told of."""
        return [data["sequence"] for event, data in self.told if event in CHANGES and data["conversationId"] == conversation_id]

    async def has(self, is_so: Callable[[Client], bool], limit_seconds: float = LIMIT_SECONDS) -> bool:
        return await eventually(lambda: is_so(self), limit_seconds)

    async def heard(self, event: str, count: int = 1) -> list[Any]:
        """What it was told by an event, once it was told so often."""
        assert await self.has(lambda me: len(me.of(event)) >= count), (event, self.told)
        return self.of(event)

    async def ask(self, event: str, data: Any = None) -> dict[str, Any]:
        """The acknowledgement of an event."""
        answer: dict[str, Any] = await self.client.call(event, data, timeout=LIMIT_SECONDS)
        return answer

    async def close(self) -> None:
        await self.client.disconnect()


CHANGES = ("new-message", "message-edited", "message-deleted", "receipt", "member", "closed")


class RefusedError(AssertionError):
    """The server did not let the client in; its text is what the server says."""


Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connects a person to a socket process; all connections end with the test."""
    clients: list[Client] = []

    async def connect(process: SocketProcess, person: Person, *, wait: bool = True, **given: Any) -> Client:
        client = Client(person, socketio.AsyncClient(reconnection=False, handle_sigint=False))

        async def keep(event: str, data: Any = None) -> None:
            client.told.append((event, data))

        async def end(*_: Any) -> None:
            client.is_over = True

        async def refuse(data: Any) -> None:
            client.refused = data["message"] if isinstance(data, dict) else str(data)

        client.client.on("connect_error", refuse)
        client.client.on("*", keep)
        client.client.on("disconnect", end)
        clients.append(client)
        auth = {"token": given.pop("token", None) or token_of(person, **given.pop("claims", {})), **given}
        try:
            await client.client.connect(process.url, auth=auth, transports=["websocket"], wait_timeout=int(LIMIT_SECONDS))
        except NotConnected as error:
            raise RefusedError(client.refused or str(error)) from None
        if wait:
            await client.heard("ready")
        return client

    yield connect
    for client in clients:
        await client.close()


def token_of(person: Person, *, session_id: UUID | None = None, issuer: TokenIssuer = ISSUER, **claims: Any) -> str:
    """An access token of a person, of a session of its own."""
    return issuer.token(
        role=person.role, tenant_id=person.tenant_id, subject=person.id, session_id=session_id or uuid4(), claims=claims
    )
