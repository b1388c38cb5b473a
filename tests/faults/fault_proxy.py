"""A TCP proxy in front of Kafka that stalls, swallows and cuts: what a bad network does, on command."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

from local_stack.ports import HOST, free_port

Fault = Literal["stall", "lost answers", "reset", "cut"]
Way = Literal["requests", "answers"]

_CHUNK = 65_536
# Sent at once instead of an orderly end, whatever is still on its way.
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Forwards connections from `port` to `target`; a fault hits all connections that are open then."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._swallows: Way | None = None
        self._cuts = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Host and port for clients."""
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self._open.set()
        self.reset()
        if self._serving:
            await asyncio.wait(self._serving)

    async def hit(self, fault: Fault, rng: random.Random) -> None:
        """Do this to all traffic for a moment of chance."""
        seconds = rng.uniform(0.05, 0.35)
        if fault == "stall":
            await self._stall(seconds)
        elif fault == "lost answers":
            async with self.losing("answers"):
                await asyncio.sleep(seconds)
        elif fault == "cut":
            # The next piece of data that passes goes through by half, and then the line is dead.
            self._cuts = True
            await asyncio.sleep(seconds)
            self._cuts = False
        else:
            self.reset()

    @asynccontextmanager
    async def losing(self, what: Way) -> AsyncIterator[None]:
        """Take what goes this way and let it never arrive; at the end the connections end too."""
        self._swallows = what
        try:
            yield
        finally:
            # A stream with a hole in it is no TCP stream: what was swallowed ends with the connection.
            self._swallows = None
            self.reset()

    async def _stall(self, seconds: float) -> None:
        self._open.clear()
        await asyncio.sleep(seconds)
        self._open.set()

    def reset(self) -> None:
        """End all connections with a reset."""
        for writer in list(self._writers):
            _kill(writer)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.ensure_future(self._forward(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self._target)
        except OSError:
            _kill(writer)
            return
        pair = {writer, back}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, back, "requests"), self._pump(there, writer, "answers"))
        finally:
            self._writers -= pair
            for each in pair:
                _kill(each)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: Way) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._open.wait()
                if self._swallows == kind:
                    continue
                if self._cuts:
                    self._cuts = False
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    self.reset()
                    return
                writer.write(data)
                await writer.drain()
        _kill(writer)


def _kill(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        plain: socket.socket | None = writer.get_extra_info("socket")
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
