"""HTTP to an API on this machine over kept connections, with so little work per request that it is the API that is loaded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import NamedTuple

from local_stack.ports import HOST

KEPT_SECONDS = 30.0
"""Well within what the services allow an idle connection."""


class Reply(NamedTuple):
    """An answer; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Kept(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    since: float


class PlainHttp:
    """Opens as many connections as are asked for at once, and keeps them. For answers with a Content-Length only."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: list[_Kept] = []

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Post JSON; raises OSError or IncompleteReadError when there is no answer."""
        reader, writer = await self._connection()
        lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}:{self.port}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
            reply = await _reply(reader)
        except BaseException:
            writer.transport.abort()
            raise
        self._idle.append(_Kept(reader, writer, time.monotonic()))
        return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._idle and time.monotonic() - self._idle[-1].since > KEPT_SECONDS:
            self.close()
        if not self._idle:
            return await asyncio.open_connection(HOST, self.port)
        kept = self._idle.pop()
        return kept.reader, kept.writer

    def close(self) -> None:
        """Close what is kept."""
        for kept in self._idle:
            kept.writer.close()
        self._idle.clear()


async def _reply(reader: asyncio.StreamReader) -> Reply:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    parts = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in parts}
    return Reply(int(first.split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0))))
