"""A WebSocket by hand: it sends whatever bytes a test wants, and reads or does not."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import dataclass

import orjson

TEXT, BINARY, CLOSE, PING = 0x1, 0x2, 0x8, 0x9


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, masked: bool = True) -> bytes:
    """A frame as a client sends it."""
    head = bytes((opcode | (0x80 if fin else 0),))
    length, bit = len(payload), 0x80 if masked else 0
    if length < 126:
        head += bytes((length | bit,))
    elif length < 65_536:
        head += bytes((126 | bit,)) + length.to_bytes(2)
    else:
        head += bytes((127 | bit,)) + length.to_bytes(8)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


@dataclass
class RawClient:
    """An upgraded connection; nothing is read unless a test reads."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int, *, receive_buffer: int | None = None) -> RawClient:
        """Upgrades; `receive_buffer` makes the kernel keep as little as it can for a client that does not read."""
        client = await cls.ask(port, receive_buffer=receive_buffer)
        assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        return client

    @classmethod
    async def ask(cls, port: int, query: str = "EIO=4&transport=websocket", receive_buffer: int | None = None) -> RawClient:
        """Asks for the upgrade and leaves the answer to be read."""
        plain = socket.socket()
        plain.setblocking(False)
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=plain, limit=receive_buffer or 65_536)
        writer.write(
            f"GET /socket.io/?{query} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        return cls(reader, writer)

    @classmethod
    async def connect(cls, port: int, token: str, *, receive_buffer: int | None = None) -> RawClient:
        """Upgrades and says who it is."""
        client = await cls.open(port, receive_buffer=receive_buffer)
        client.send(b"40" + orjson.dumps({"token": token}))
        return client

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        self.writer.write(frame(payload, opcode))

    def send_raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def read_until_closed(self, limit_seconds: float = 30.0) -> bytes:
        """Everything that comes until the connection is over; AssertionError when it does not end."""
        received = b""
        try:
            async with asyncio.timeout(limit_seconds):
                while chunk := await self.reader.read(65_536):
                    received += chunk
        except ConnectionError:
            return received
        except TimeoutError:
            raise AssertionError("the connection stays open") from None
        return received

    async def read_until(self, part: bytes, limit_seconds: float = 30.0) -> bytes:
        """Everything up to this part."""
        return await asyncio.wait_for(self.reader.readuntil(part), limit_seconds)

    async def skim(self, seconds: float = 0.2) -> None:
        """Reads for a moment what comes, if anything does."""
        with suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(self.reader.read(65_536), seconds)

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, BrokenPipeError):
            return
