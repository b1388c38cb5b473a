"""A load of HTTP requests over kept connections: as fast as they are answered, or at a steady rate. For loopback only.

Run as a process of its own so that it does not share the server's interpreter:
`python -m tests.bench.http_load PLAN` reads a JSON plan and prints a JSON finding.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import uvloop

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests (method, path, headers, body; taken in turn) to a port for `seconds`, over so many connections.

    `rate` is requests per second in all; None means each connection asks again as soon as it is answered.
    """

    port: int
    requests: Sequence[tuple[str, str, dict[str, str], str]]
    seconds: float
    connections: int = 16
    rate: float | None = None
    expected: Sequence[int] = (200, 201)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came back: answers per second, milliseconds per answer, and how many had which status that was not expected."""

    rate: float
    milliseconds: list[float] = field(repr=False)
    unexpected: dict[str, int]


class KeptConnections:
    """Connections to a port that are kept between requests and opened as they are needed; costs a load little of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, method: str, path: str, headers: dict[str, str], body: str) -> int:
        """The status of the answer; what breaks a connection is raised."""
        reader, writer = self._taken() or await asyncio.open_connection(HOST, self._port)
        writer.write(_request(self._port, method, path, headers, body))
        status = await _answer(reader)
        self._idle.append((reader, writer))
        return status

    def _taken(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """An idle connection that the server has not closed; the one used last, which it would close last."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    def close(self) -> None:
        """Close those that are idle."""
        for _, writer in self._idle:
            writer.close()


async def measure(plan: Plan) -> Finding:
    """Run the plan in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.http_load"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    printed, _ = await process.communicate(json.dumps(asdict(plan)).encode())
    if process.returncode:
        raise RuntimeError("the load generator failed")
    found = json.loads(printed)
    return Finding(**found)


async def run(plan: Plan) -> Finding:
    """Run the plan in this process; when a rate is given, an answer's time counts from the moment it was due."""
    wire = [_request(plan.port, *each) for each in plan.requests]
    numbers = iter(range(len(wire)))
    started = time.monotonic()
    times: list[float] = []
    statuses: list[int] = []
    schedule = _due(started, plan)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(HOST, plan.port)
        for due in schedule:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() - started >= plan.seconds:
                break
            begun = due if plan.rate else time.monotonic()
            number = next(numbers, None)
            writer.write(wire[number if number is not None else len(times) % len(wire)])
            statuses.append(await _answer(reader))
            times.append((time.monotonic() - begun) * 1000)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(plan.connections):
            group.create_task(connection())
    unexpected = Counter(str(status) for status in statuses if status not in plan.expected)
    return Finding(len(times) / (time.monotonic() - started), times, dict(unexpected))


def _due(started: float, plan: Plan) -> Iterator[float]:
    """The moments at which requests are due; shared by the connections, so that the next free one takes the next."""
    number = 0
    while True:
        yield started + number / plan.rate if plan.rate else 0.0
        number += 1


def _request(port: int, method: str, path: str, headers: dict[str, str], body: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{port}", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.find(b"content-length:")
    if start >= 0:
        await reader.readexactly(int(lower[start + 15 : lower.find(b"\r\n", start)]))
    return int(head[9:12])


if __name__ == "__main__":
    plan = Plan(**json.loads(sys.stdin.read()))
    print(json.dumps(asdict(uvloop.run(run(plan)))))
