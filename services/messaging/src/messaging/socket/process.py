"""Composition root of the socket process: settings in, wired ASGI app out."""

from __future__ import annotations

import asyncio
import logging
import socket as sockets
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from messaging.clients.bus import Bus
from messaging.clients.keys.choosing import open_keyring
from messaging.clients.keys.keyring import Keyring
from messaging.clients.presence import PresenceStore
from messaging.clients.wake import Waker
from messaging.settings import Settings
from messaging.socket.alerts import Alerts
from messaging.socket.app import SocketApp
from messaging.socket.connecting import Connecting
from messaging.socket.events import Events
from messaging.socket.following import Following
from messaging.socket.hub import Hub
from messaging.socket.looking import Looker
from messaging.socket.people import People
from messaging.socket.presence import Presence
from messaging.socket.pump import Pump, units_of
from messaging.socket.server import SocketServer
from messaging.socket.wakes import Wakes
from messaging.socket.websocket import bounded_to
from service_kit import metrics
from service_kit.database import Pool, create_pool, warm_up
from service_kit.health import Health, database_check
from service_kit.jwks import keys_at
from service_kit.logs import describe_exception, get_logger
from service_kit.process import serve, start_process
from service_kit.tokens import TokenVerifier
from service_kit.unit_of_work import Clock, utc_now

_log = get_logger(__name__)


def run_socket(settings: Settings) -> None:
    """Serves connections until a signal; their clients are told that they end, and come back elsewhere."""
    start_process(settings, "socket")
    # It writes a line for each connection, with its whole address.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    app = create_socket_app(settings)
    serve(app, settings, app.health, process="socket", sockets=[listening_socket(settings)], **server_options(settings))


def server_options(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves WebSockets: Engine.IO pings by itself, and what is small and secret is not compressed."""
    return {
        "ws": bounded_to(settings.socket_buffer_bytes),
        "ws_max_size": settings.socket_frame_limit_bytes,
        "ws_ping_interval": None,
        "ws_per_message_deflate": False,
        "lifespan": "on",
    }


def listening_socket(settings: Settings) -> sockets.socket:
    """A socket whose connections have a small send buffer: the kernel would hold megabytes for a peer that does not read."""
    listening = sockets.create_server((settings.host, settings.port), backlog=2048, reuse_port=False)
    listening.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, settings.socket_kernel_buffer_bytes)
    return listening


def create_socket_app(settings: Settings, *, tokens: TokenVerifier | None = None, clock: Clock = utc_now) -> SocketApp:
    """The app of the socket process; nothing is opened before its lifespan begins. Tests give their own issuer of tokens."""
    health = Health({})

    @asynccontextmanager
    async def parts() -> AsyncIterator[SocketServer]:
        async with AsyncExitStack() as stack:
            opened = _Opened(
                settings=settings,
                pool=await _open_pool(settings, stack),
                keyring=await stack.enter_async_context(aclosing(open_keyring(settings))),
                waker=await stack.enter_async_context(Waker(settings.valkey_url)),
                tokens=tokens or await _open_tokens(settings, stack),
                clock=clock,
            )
            yield await _Parts(opened).start(health, stack)

    return SocketApp(parts, health)


async def _open_pool(settings: Settings, stack: AsyncExitStack) -> Pool:
    name = f"{settings.service_name}-socket"
    pool = await create_pool(settings.database_url, size=settings.database_pool_size, application_name=name)
    stack.push_async_callback(pool.close)
    stack.callback(asyncio.create_task(warm_up(pool)).cancel)
    metrics.DATABASE_CONNECTIONS.labels("used").set_function(lambda: pool.get_size() - pool.get_idle_size())
    metrics.DATABASE_CONNECTIONS.labels("idle").set_function(pool.get_idle_size)
    return pool


async def _open_tokens(settings: Settings, stack: AsyncExitStack) -> TokenVerifier:
    if settings.jwks_url is None:
        raise ValueError("MESSAGING_JWKS_URL is not set: nobody could connect")
    keys = await stack.enter_async_context(keys_at(settings.jwks_url))
    return TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What the parts are made of."""

    settings: Settings
    pool: Pool
    keyring: Keyring
    waker: Waker
    tokens: TokenVerifier
    clock: Clock


class _Parts:
    """The parts of the process, each given those that it needs."""

    def __init__(self, opened: _Opened) -> None:
        self._opened = opened
        settings, keyring, clock = opened.settings, opened.keyring, opened.clock
        units = units_of(
            opened.pool,
            source=settings.source,
            clock=clock,
            acquire_seconds=settings.database_acquire_seconds,
            publishes=not settings.unsafe_outbox_off,
        )
        hub, process = Hub(), uuid4().hex
        pump, following = Pump(hub, units, keyring, clock), Following(hub, units, keyring)
        self.alerts = Alerts(hub, units, clock)
        self.looker = Looker(
            hub, units, pump, admitting=following, alerts=self.alerts, every_seconds=settings.socket_look_seconds
        )
        self.wakes = Wakes(hub, pump, self.looker)
        self.bus = Bus(settings.valkey_url) if settings.valkey_url else None
        store = PresenceStore(settings.valkey_url, process) if settings.valkey_url else None
        self.presence = Presence(hub, units, store, self.bus.tell if self.bus else _tell_nobody, process)
        connecting = Connecting(hub, units, opened.tokens, self.looker, most_per_person=settings.socket_most_per_person)
        events = Events(
            hub=hub,
            units=units,
            connecting=connecting,
            following=following,
            presence=self.presence,
            pump=pump,
            waker=opened.waker,
            clock=clock,
        )
        self.people = People(
            hub, connecting=connecting, following=following, alerts=self.alerts, presence=self.presence, events=events
        )

    async def start(self, health: Health, stack: AsyncExitStack) -> SocketServer:
        """Everything works until the stack is closed."""
        pool = self._opened.pool
        health.checks = {"database": database_check(lambda: pool), "look": self.looker.is_late}
        for part in (self.alerts, self.presence, self.looker, self.people):
            stack.push_async_callback(part.close)
        server = _server(self._opened.settings, self.people)
        server.eio.start()
        stack.push_async_callback(server.eio.shutdown)
        loops: list[Coroutine[Any, Any, None]] = [self.looker.run(), self.presence.run()]
        if self.bus is not None:
            loops.append(self.bus.run(on_wake=self.wakes.take, on_live=self.presence.take, on_up=self.wakes.ask_all))
        stack.push_async_callback(_end, [asyncio.create_task(loop) for loop in loops])
        return server


def _server(settings: Settings, people: People) -> SocketServer:
    return SocketServer(
        people.handlers(),
        most_connections=settings.socket_most_connections,
        frames_per_second=settings.socket_frames_per_second,
        frames_at_once=settings.socket_frames_at_once,
        connect_seconds=settings.socket_connect_seconds,
        max_http_buffer_size=settings.socket_frame_limit_bytes,
        ping_interval=settings.socket_ping_seconds,
        ping_timeout=settings.socket_pong_seconds,
    )


def _tell_nobody(_: dict[str, Any]) -> None:
    """Without Valkey a process is alone."""


async def _end(loops: list[asyncio.Task[None]]) -> None:
    for loop in loops:
        loop.cancel()
    for loop, result in zip(loops, await asyncio.gather(*loops, return_exceptions=True), strict=True):
        if isinstance(result, Exception):
            _log.error("socket.part_failed", part=loop.get_name(), failure=describe_exception(result))
