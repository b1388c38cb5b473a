"""Health and metrics of a process that has no API: a few fixed GETs answered over plain HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from service_kit import metrics
from service_kit.health import Health

_READ_SECONDS = 2.0
_JSON = "application/json"


@asynccontextmanager
async def probe_server(health: Health, *, host: str, port: int) -> AsyncIterator[int]:
    """Answers `/health/live`, `/health/ready` and `/metrics` while its block runs; gives the port, which is a free one for 0."""
    server = await asyncio.start_server(lambda reader, writer: _serve(health, reader, writer), host, port, limit=8192)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _serve(health: Health, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _READ_SECONDS)
        status, content_type, body = await _answer(health, request)
        reason = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[status]
        head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n".encode()
        writer.write(head + b"connection: close\r\n\r\n" + body)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return  # Whoever asked has gone, or did not speak HTTP.
    finally:
        writer.close()


async def _answer(health: Health, request: bytes) -> tuple[int, str, bytes]:
    target = request.partition(b"\r\n")[0].split(b" ")[:2]
    if target == [b"GET", b"/health/live"]:
        return 200, _JSON, orjson.dumps({"status": "alive"})
    if target == [b"GET", b"/health/ready"]:
        readiness = await health.readiness()
        return (200 if readiness.status == "ready" else 503), _JSON, readiness.model_dump_json().encode()
    if target == [b"GET", b"/metrics"]:
        text, content_type = metrics.render(_header(request, b"accept"))
        return 200, content_type, text
    return 404, _JSON, b"{}"


def _header(request: bytes, name: bytes) -> str:
    """The value of a header of a request as it came over the wire; empty where it has none."""
    for line in request.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.strip().lower() == name:
            return value.strip().decode("latin-1")
    return ""
