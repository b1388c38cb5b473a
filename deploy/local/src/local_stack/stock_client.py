"""The stock Socket.IO client of npm, run by node, for tests: what browsers use has to work with the socket process.

It is installed from its lock into the cache once, and driven by `tests/socketio-client/driver.cjs`.
"""

import asyncio
import itertools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from local_stack.errors import StackError
from local_stack.npm_packages import install_npm_packages
from local_stack.paths import ROOT

_FOLDER = ROOT / "tests" / "socketio-client"
_PAUSE_SECONDS = 0.01


def install_stock_client() -> Path:
    """The folder `node_modules` with the client, installed unless it is there; StackError without node, npm or a registry."""
    return install_npm_packages("socketio-client") / "node_modules"


@dataclass
class StockClient:
    """One client with everything that it heard, in order; `events` are what the server emitted."""

    name: str
    driver: "StockClients"
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def told(self) -> list[tuple[str, Any]]:
        """The server's events with their data."""
        return [(each["event"], each.get("data")) for each in self.heard if each["on"] == "event"]

    def count(self, on: str) -> int:
        """How often it heard this: `connect`, `disconnect`, `connect_error`, `event`."""
        return sum(each["on"] == on for each in self.heard)

    async def until(self, is_so: Callable[["StockClient"], bool], limit_seconds: float = 40.0) -> bool:
        """Whether it became so in time."""
        for _ in range(int(limit_seconds / _PAUSE_SECONDS)):
            if is_so(self):
                return True
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def until_told(self, event: str, count: int = 1) -> list[Any]:
        """The data of an event, once it came so often; AssertionError when it does not."""
        if not await self.until(lambda me: len(me.of(event)) >= count):
            raise AssertionError(f"{self.name} was told {event} {len(self.of(event))} times, not {count}")
        return self.of(event)

    def of(self, event: str) -> list[Any]:
        """The data of an event, each time."""
        return [data for name, data in self.told if name == event]

    async def ask(self, event: str, data: object = None) -> Any:
        """Emits an event and gives its acknowledgement."""
        number = self.driver.next_number()
        self.driver.send({"do": "emit", "client": self.name, "event": event, "data": data, "ack": number})
        if not await self.until(lambda me: any(each.get("ack") == number for each in me.heard)):
            raise AssertionError(f"{event} was not acknowledged")
        return next(each["data"] for each in self.heard if each.get("ack") == number)

    def emit(self, event: str, data: object = None) -> None:
        """Emits an event without asking for an acknowledgement."""
        self.driver.send({"do": "emit", "client": self.name, "event": event, "data": data})

    def drop(self) -> None:
        """Loses its connection, and tries to come back by itself."""
        self.driver.send({"do": "drop", "client": self.name})

    def disconnect(self) -> None:
        """Ends its connection for good."""
        self.driver.send({"do": "disconnect", "client": self.name})


class StockClients:
    """A node process with any number of clients; use it as an async context manager."""

    def __init__(self, modules: Path) -> None:
        self._modules = modules
        self._numbers = itertools.count(1)
        self._clients: dict[str, StockClient] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            str(_FOLDER / "driver.cjs"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "NODE_PATH": str(self._modules)},
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._reading is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            await self._process.wait()
            await self._reading

    def connect(
        self,
        url: str,
        token: str,
        *,
        after: Mapping[str, int] | None = None,
        follow: bool = False,
        options: Mapping[str, object] | None = None,
    ) -> StockClient:
        """A new client; `follow` makes it resume by itself, `options` are the client's own."""
        client = StockClient(f"client-{self.next_number()}", self)
        self._clients[client.name] = client
        command = {"do": "connect", "client": client.name, "url": url, "token": token, "follow": follow}
        self.send({**command, "after": None if after is None else dict(after), "options": dict(options or {})})
        return client

    def next_number(self) -> int:
        """A number that was not given before."""
        return next(self._numbers)

    def send(self, command: Mapping[str, object]) -> None:
        """Gives the driver a command."""
        if self._process is None or self._process.stdin is None:
            raise StackError("socket.io-client", "node does not run")
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            raise StackError("socket.io-client", "node does not run")
        async for line in self._process.stdout:
            said = json.loads(line)
            self._clients[said["client"]].heard.append(said)
