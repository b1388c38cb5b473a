"""An open page by hand: Socket.IO over one WebSocket, light enough to open a thousand of them; it keeps what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from local_stack.ports import HOST

_OPEN_SECONDS = 60.0
_AGAIN_SECONDS = 0.2
_PONG_SECONDS = 1.0


@dataclass
class Page:
    """Somebody's page: the places of each conversation in the order in which they were told, and when each message came.

    `resumes`: it says on coming back up to where it has everything. Without that it misses what was told meanwhile.
    """

    port: int
    token: str
    resumes: bool = True
    places: dict[UUID, list[int]] = field(default_factory=dict)
    messages: dict[UUID, float] = field(default_factory=dict)
    connections: int = 0
    answers_pings: bool = True
    on_cut: Callable[[], None] = lambda: None
    _socket: ClientConnection | None = None
    _running: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self) -> None:
        """Return once it is connected; it connects again whenever the connection is lost."""
        self._running = asyncio.create_task(self._run())
        await asyncio.wait_for(self._ready.wait(), _OPEN_SECONDS)

    async def cut(self) -> None:
        """Lose the connection as a phone in a tunnel does: nobody says good-bye."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def close(self) -> None:
        """Leave for good."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                await self._connected()
            self.on_cut()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _connected(self) -> None:
        url = f"ws://{HOST}:{self.port}/socket.io/?EIO=4&transport=websocket"
        async with connect(url, compression=None, ping_interval=None, open_timeout=_OPEN_SECONDS, proxy=None) as opened:
            self._socket = opened
            after = {str(each): told[-1] for each, told in self.places.items() if told} if self.resumes else {}
            await opened.send("40" + json.dumps({"token": self.token, "after": after}))
            async for frame in opened:
                await self._take(opened, str(frame))

    async def _take(self, opened: ClientConnection, frame: str) -> None:
        if frame == "2":
            if self.answers_pings:
                await opened.send("3")
        elif frame.startswith("40"):
            self.connections += 1
            self._ready.set()
        elif frame.startswith("42"):
            event, *given = json.loads(frame[2:])
            if given and isinstance(given[0], dict):
                self._told(event, given[0])

    def _told(self, event: str, change: dict[str, Any]) -> None:
        if "sequence" not in change:
            return
        self.places.setdefault(UUID(change["conversationId"]), []).append(change["sequence"])
        if event == "new-message":
            self.messages.setdefault(UUID(change["message"]["id"]), time.monotonic())


class SlowPage:
    """A page that connects and then reads nothing, with as little room for what it is sent as the kernel gives.

    It says all the while that it is there, so that only what it leaves unread can be why it is cut.
    """

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._speaking: asyncio.Task[None] | None = None
        self._plain = socket.socket()

    async def open(self) -> None:
        """Upgrade and say who it is; what is answered stays unread."""
        loop = asyncio.get_running_loop()
        self._plain.setblocking(False)
        self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await loop.sock_connect(self._plain, (HOST, self._port))
        upgrade = (
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await loop.sock_sendall(self._plain, upgrade.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await loop.sock_recv(self._plain, 1_024)
        await loop.sock_sendall(self._plain, _masked(b"40" + json.dumps({"token": self._token}).encode()))
        self._speaking = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(_PONG_SECONDS)
                await loop.sock_sendall(self._plain, _masked(b"3"))

    async def is_cut(self) -> bool:
        """Whether the other side has given up: what it had sent can be read to an end, or to a reset."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(2.0):
                while await loop.sock_recv(self._plain, 65_536):
                    pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Leave."""
        if self._speaking is not None:
            self._speaking.cancel()
        self._plain.close()


def _masked(payload: bytes) -> bytes:
    """A text frame as clients have to send it; the mask of zeros leaves the payload as it is."""
    length = len(payload)
    head = bytes((0x81, 0x80 | length)) if length < 126 else bytes((0x81, 0x80 | 126)) + length.to_bytes(2)
    return head + bytes(4) + payload
