"""The ASGI app of the socket process: WebSockets at `/socket.io`, and the health and metrics that every process has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import orjson

from messaging.socket.server import SocketServer
from service_kit import metrics
from service_kit.health import Health
from service_kit.logs import describe_exception, get_logger

_log = get_logger(__name__)

PATH = "/socket.io"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[MutableMapping[str, Any]], Any]
Parts = Callable[[], AbstractAsyncContextManager[SocketServer]]
"""Opens all parts of the process and gives the server; closes them at the end of its block."""


class SocketApp:
    """Answers what uvicorn hands over; `health` says whether the process can do its work."""

    def __init__(self, parts: Parts, health: Health) -> None:
        self.health = health
        self.server: SocketServer | None = None
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._answer(scope, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.running())
            except Exception as error:
                # The server would log the text of the exception, which may hold anything.
                _log.error("process.start_failed", failure=describe_exception(error))
                await send({"type": "lifespan.startup.failed"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SocketServer]:
        """Takes connections while the block runs."""
        async with self._parts() as server:
            self.server = server
            try:
                yield server
            finally:
                self.server = None

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.server is None or self.health.draining or scope["path"].rstrip("/") != PATH:
            await receive()
            await send({"type": "websocket.close"})
        else:
            await self.server.handle_request(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        status, content_type, body = await self._page(scope["method"], scope["path"], accept)
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _page(self, method: str, path: str, accept: str) -> tuple[int, str, bytes]:
        json = "application/json"
        if method == "GET" and path == "/health/live":
            return 200, json, b'{"status":"alive"}'
        if method == "GET" and path == "/health/ready":
            readiness = await self.health.readiness()
            return (200 if readiness.status == "ready" else 503), json, readiness.model_dump_json().encode()
        if method == "GET" and path == "/metrics":
            text, content_type = metrics.render(accept)
            return 200, content_type, text
        if path.rstrip("/") == PATH:
            # The answer of a Socket.IO server that knows no such transport: there is no polling here.
            return 400, json, orjson.dumps({"code": 0, "message": "Transport unknown"})
        return 404, json, b"{}"
