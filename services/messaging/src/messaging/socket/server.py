"""Socket.IO by python-socketio, strict about what it takes: one namespace, no binary, and every event through one handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import socketio
from socketio import packet
from socketio.exceptions import ConnectionRefusedError as Refused

from messaging.socket.engine import Engine, EngineSocket, Garbage
from messaging.socket.websocket import text_frame


class _Json:
    """orjson behind the two functions that python-socketio calls."""

    @staticmethod
    def dumps(value: object, **_: object) -> str:
        return orjson.dumps(value, default=str).decode()

    @staticmethod
    def loads(text: str) -> Any:
        return orjson.loads(text)


class _Packet(packet.Packet):  # type: ignore[misc]  # python-socketio ships no types
    json = _Json


class _Manager(socketio.AsyncManager):  # type: ignore[misc]  # the same
    """Knows connections only: rooms are in `hub`. Its base looks through all rooms of the process for one that ends."""

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        for room in (None, sid):
            self.basic_leave_room(sid, namespace, room)
        for waiting in (self.pending_connect, self.pending_disconnect):
            if sid in waiting.get(namespace, ()):
                waiting[namespace].remove(sid)


@dataclass(frozen=True, slots=True)
class Handlers:
    """What is done about what clients do. `connect` raises Refused; what `event` gives is the acknowledgement."""

    connect: Callable[[str, EngineSocket, Any], Awaitable[None]]
    connected: Callable[[str], None]
    event: Callable[[str, str, Any], Awaitable[dict[str, Any]]]
    disconnect: Callable[[str], Awaitable[None]]


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # the same
    """One Socket.IO server on one Engine.IO server; a connection's events are handled one after the other."""

    def __init__(self, handlers: Handlers, **engine_options: Any) -> None:
        super().__init__(client_manager=_Manager(), serializer=_Packet, async_handlers=False, namespaces=["/"], **engine_options)
        self._does = handlers
        self.on("connect", self._on_connect)
        self.on("disconnect", self._on_disconnect)

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    def socket_of(self, eio_sid: str) -> EngineSocket:
        """The connection below a Socket.IO connection."""
        socket: EngineSocket = self.eio.sockets[eio_sid]
        return socket

    async def _on_connect(self, sid: str, _environ: Any, auth: Any) -> None:
        await self._does.connect(sid, self.socket_of(self.manager.eio_sid_from_sid(sid, "/")), auth)

    async def _on_disconnect(self, sid: str, _reason: str) -> None:
        await self._does.disconnect(sid)

    async def _handle_eio_message(self, eio_sid: str, data: str) -> None:
        """Takes a packet; raises Garbage for what no client of ours sends."""
        received = _decoded(data)
        if received.packet_type == packet.CONNECT:
            await self._begin(eio_sid, received)
        elif received.packet_type == packet.DISCONNECT:
            self.socket_of(eio_sid).websocket.hang_up()
        elif received.packet_type == packet.EVENT:
            await self._answer(eio_sid, received)
        else:
            # Nothing that is sent from here asks for an acknowledgement.
            raise Garbage

    async def _begin(self, eio_sid: str, received: _Packet) -> None:
        if self.manager.sid_from_eio_sid(eio_sid, "/") is not None:
            raise Garbage
        await self._handle_connect(eio_sid, "/", received.data if isinstance(received.data, dict) else {})
        sid = self.manager.sid_from_eio_sid(eio_sid, "/")
        if sid is None:
            # The refusal is on its way; nothing else is going to come.
            self.socket_of(eio_sid).websocket.hang_up()
        else:
            self.socket_of(eio_sid).is_known = True
            self._does.connected(sid)

    async def _answer(self, eio_sid: str, received: _Packet) -> None:
        sid = self.manager.sid_from_eio_sid(eio_sid, "/")
        data = received.data
        if sid is None or not isinstance(data, list) or not 1 <= len(data) <= 2 or not isinstance(data[0], str):
            raise Garbage
        acknowledgement = await self._does.event(sid, data[0], data[1] if len(data) == 2 else None)
        if received.id is not None:
            answer = _Packet(packet.ACK, data=[acknowledgement], id=received.id)
            self.socket_of(eio_sid).websocket.offer(text_frame(b"4" + answer.encode().encode()))


def event_frame(event: str, payload: bytes) -> bytes:
    """The WebSocket frame of an event whose payload is JSON already: encoded once, however many connections get it."""
    return text_frame(b'42["' + event.encode() + b'",' + payload + b"]")


def _decoded(data: str) -> _Packet:
    try:
        received = _Packet(encoded_packet=data)
    except (ValueError, IndexError, TypeError) as error:
        raise Garbage from error
    if received.namespace is not None or received.attachment_count:
        raise Garbage
    return received


__all__ = ["Handlers", "Refused", "SocketServer", "event_frame"]
