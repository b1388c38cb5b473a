"""Engine.IO over WebSockets alone, with connections that are written to without waiting.

Of python-engineio this keeps the contract with python-socketio. Its own transport has a queue without end and three to four tasks
for each connection; here a connection is one task that reads, and one sweep looks after the pings of all of them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import engineio
import orjson
from engineio.async_socket import AsyncSocket
from engineio.packet import Packet

from messaging.socket import metrics
from messaging.socket.budget import Budget
from messaging.socket.failures import note
from messaging.socket.websocket import EXTENSION, BoundedWebSocket, text_frame

SWEEP_SECONDS = 0.5
_OPEN, _CLOSE, _PING, _PONG, _MESSAGE = "0", "1", "2", "3", "4"
_PING_FRAME = text_frame(b"2")
_POLICY_VIOLATION = 1008

Receive = Callable[[], Any]
Send = Callable[[MutableMapping[str, Any]], Any]


class Garbage(Exception):  # noqa: N818  # named for what it is
    """What arrived is nothing that a client of ours would send; its connection is cut."""


class EngineSocket(AsyncSocket):  # type: ignore[misc]  # python-engineio ships no types
    """One connection as python-socketio sees it."""

    def __init__(self, engine: Engine, sid: str, websocket: BoundedWebSocket, now: float) -> None:
        super().__init__(engine, sid)
        self.websocket = websocket
        self.connected = self.upgraded = True
        self.opened_at = now
        self.is_known = False
        self.next_ping = now + engine.ping_interval * random.uniform(0.5, 1.0)  # noqa: S311  # spreads the pings
        self.pong_until: float | None = None
        self.is_within_budget = True
        self._budget = Budget.full(engine.frames_per_second, engine.frames_at_once, now)

    def count_frame(self, now: float) -> bool:
        """Counts what arrived; false for a flood."""
        self.is_within_budget = self._budget.take(now)
        return not self._budget.is_flooded

    async def send(self, pkt: Packet) -> None:
        """Writes a packet; for a connection that is over it is forgotten."""
        self.websocket.offer(text_frame(pkt.encode().encode()))

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002  # as declared by its base
        """Ends the connection; python-socketio is told by the task that reads from it."""
        self.websocket.hang_up()

    def check(self, now: float) -> None:
        """Pings when it is time; ends a connection whose peer is silent, or has not told who it is."""
        if self.pong_until is not None and now > self.pong_until:
            metrics.CUT.labels("silent").inc()
            self.websocket.transport.abort()
        elif not self.is_known and now > self.opened_at + self.server.connect_seconds:
            metrics.CUT.labels("unknown").inc()
            self.websocket.hang_up(_POLICY_VIOLATION)
        elif now >= self.next_ping:
            self.next_ping = now + self.server.ping_interval
            # A ping that nobody answered is not made good by asking again.
            self.pong_until = self.pong_until or now + self.server.ping_timeout
            self.websocket.offer(_PING_FRAME)

    def has_answered(self) -> None:
        """The peer lives."""
        self.pong_until = None


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # the same
    """Serves the WebSockets of one process, at most `most_connections` at a time, each with its budget of frames."""

    def __init__(
        self, *, most_connections: int, frames_per_second: float, frames_at_once: float, connect_seconds: float, **options: Any
    ) -> None:
        super().__init__(async_mode="asgi", monitor_clients=False, transports=["websocket"], cors_allowed_origins=[], **options)
        self.most_connections = most_connections
        self.frames_per_second = frames_per_second
        self.frames_at_once = frames_at_once
        self.connect_seconds = connect_seconds
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look after the pings of the connections."""
        self._sweeping = asyncio.create_task(self._sweep())

    async def shutdown(self) -> None:
        """Ends all connections, telling their peers so."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        for socket in list(self.sockets.values()):
            socket.websocket.hang_up(1012)

    def create_queue(self, *_: Any, **__: Any) -> None:
        """Nothing: packets go to the transport, not to a queue."""

    async def handle_request(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serves one connection until it ends."""
        await receive()
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        await send({"type": "websocket.accept"})
        socket = EngineSocket(self, self.generate_id(), scope["extensions"][EXTENSION], asyncio.get_running_loop().time())
        self.sockets[socket.sid] = socket
        metrics.CONNECTIONS.inc()
        try:
            await self._serve(socket, receive)
        finally:
            socket.closed = True
            self.sockets.pop(socket.sid, None)
            metrics.CONNECTIONS.dec()
            if socket.websocket.was_too_slow:
                metrics.CUT.labels("slow").inc()
            await self._trigger_event("disconnect", socket.sid, self.reason.TRANSPORT_CLOSE)

    def _refusal(self, scope: Mapping[str, Any]) -> tuple[int, str] | None:
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
        if query.get("transport") != ["websocket"] or "sid" in query:
            return 400, "Transport unknown"
        if query.get("EIO") != ["4"]:
            return 400, "Unsupported protocol version"
        if len(self.sockets) >= self.most_connections:
            metrics.CUT.labels("full").inc()
            return 503, "Too many connections"
        return None

    async def _serve(self, socket: EngineSocket, receive: Receive) -> None:
        socket.websocket.offer(text_frame(_OPEN.encode() + orjson.dumps(self._handshake(socket.sid))))
        await self._trigger_event("connect", socket.sid, {})
        while True:
            event = await receive()
            if event["type"] != "websocket.receive":
                return
            if not socket.count_frame(asyncio.get_running_loop().time()):
                metrics.CUT.labels("flood").inc()
                socket.websocket.hang_up(_POLICY_VIOLATION)
                return
            try:
                await self._take(socket, event.get("text"))
            except Garbage:
                metrics.CUT.labels("garbage").inc()
                socket.websocket.hang_up(_POLICY_VIOLATION)
                return
            except Exception as error:  # a bug must end no other connection, and its text may hold anything
                note(error, "frame")
                socket.websocket.hang_up(1011)
                return

    async def _take(self, socket: EngineSocket, text: str | None) -> None:
        kind = text[:1] if text else ""
        if kind == _MESSAGE and text:
            await self._trigger_event("message", socket.sid, text[1:])
        elif text == _PONG:
            socket.has_answered()
        elif text == _CLOSE:
            socket.websocket.hang_up()
        else:
            raise Garbage

    def _handshake(self, sid: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "upgrades": [],
            "pingInterval": int(self.ping_interval * 1000),
            "pingTimeout": int(self.ping_timeout * 1000),
            "maxPayload": self.max_http_buffer_size,
        }

    async def _trigger_event(self, event: str, *args: Any, **_: Any) -> Any:
        """Calls python-socketio; its base would write the text of an exception to the log and go on."""
        return await self.handlers[event](*args)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            for socket in list(self.sockets.values()):
                socket.check(now)


async def _refuse(send: Send, status: int, message: str) -> None:
    body = orjson.dumps({"code": 0, "message": message})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
