"""uvicorn's WebSocket with an outgoing buffer that has an end: writing never waits, and whoever does not read is cut.

What is written here goes straight to the transport, past the ASGI queue of messages: a push costs one call per connection, and
its frame is encoded once for all of them.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseTransport
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.protocol import State

GOOD_BYE_SECONDS = 0.5
"""How long the peer of a connection that is ended here may take to close its side."""

EXTENSION = "bloom.connection"
"""Under this name the ASGI application finds the protocol of its connection."""


def text_frame(payload: bytes) -> bytes:
    """A whole text message as a server sends it (RFC 6455): unmasked, uncompressed, in one frame."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """One connection. `buffer_limit` is what may lie between this process and the kernel, unread by the peer, in bytes."""

    buffer_limit = 262_144

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.was_too_slow = False

    def connection_made(self, transport: BaseTransport) -> None:
        """As uvicorn does; whoever may wait waits long before the buffer is full."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=self.buffer_limit // 4)

    @property
    def is_open(self) -> bool:
        """Whether something written now could arrive."""
        return not self.close_sent and self.conn.state is State.OPEN and not self.transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return int(self.transport.get_write_buffer_size())

    def offer(self, frame: bytes) -> bool:
        """Writes a frame without waiting. False when the connection is over, which it is for a peer that does not read."""
        if not self.is_open:
            return False
        if self.unsent_bytes + len(frame) > self.buffer_limit:
            self.cut_slow_reader()
            return False
        self.transport.write(frame)
        return True

    def cut_slow_reader(self) -> None:
        """Ends the connection at once and forgets what was not sent."""
        self.was_too_slow = True
        self.transport.abort()

    def hang_up(self, code: int = 1000) -> None:
        """Ends the connection in order: the close frame goes out behind what was written, and the peer has a moment to answer."""
        if not self.is_open:
            return
        try:
            self.conn.send_close(code)
        except InvalidState:
            self.transport.abort()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GOOD_BYE_SECONDS, self.transport.abort)

    async def run_asgi(self) -> None:
        """Gives the application this connection to write to."""
        extensions: dict[str, Any] = {**(self.scope["extensions"] or {}), EXTENSION: self}
        self.scope["extensions"] = extensions
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        """As uvicorn does; an accepted connection no longer needs what the client's request said."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            self.scope["headers"] = []

    def handle_ping(self) -> None:
        """Answers a ping of the protocol, which a peer that reads nothing could otherwise fill the memory with."""
        if self.unsent_bytes > self.buffer_limit:
            self.conn.data_to_send()
            self.cut_slow_reader()
        else:
            super().handle_ping()

    def send_receive_event_to_app(self) -> None:
        """Refuses text that is not UTF-8 without writing about it."""
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames):
            self.frames = []
            self.hang_up(1007)
        else:
            super().send_receive_event_to_app()


def bounded_to(buffer_limit: int) -> type[BoundedWebSocket]:
    """The protocol with this limit; uvicorn makes one for each connection and passes nothing on."""
    return type("BoundedWebSocket", (BoundedWebSocket,), {"buffer_limit": buffer_limit})


def _is_utf8(parts: list[bytes]) -> bool:
    try:
        (parts[0] if len(parts) == 1 else b"".join(parts)).decode()
    except UnicodeDecodeError:
        return False
    return True
