"""Between a service and PostgreSQL: counts statements, and cuts every connection at one of them, like a killed process."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from typing import NamedTuple, Self
from urllib.parse import urlsplit, urlunsplit

from local_stack.ports import HOST

_HEAD = 5
# Parse, Bind, Describe, Execute, Close: they come in batches that a Sync ends, and only then does PostgreSQL answer for good.
_PARTS_OF_A_BATCH = b"PBDEC"
_QUERY, _SYNC, _EXECUTE, _READY = b"Q", b"S", b"E", b"Z"
_BEGIN = re.compile(rb"^begin[^;\x00]*;? *", re.IGNORECASE)
# PostgreSQL takes a lone COMMIT with a warning, but refuses these.
_INSIDE = re.compile(rb"savepoint|release|rollback to|\x00", re.IGNORECASE)


class _Message(NamedTuple):
    kind: bytes
    body: bytes

    @property
    def wire(self) -> bytes:
        return self.kind + (len(self.body) + 4).to_bytes(4) + self.body


class CuttingProxy:
    """Speaks PostgreSQL's protocol to both sides; one for each database under test.

    `arm(n)` starts counting anew: when statement n has been answered by PostgreSQL, and before the service hears of it, all
    connections break and new ones are refused until `revive()`. With `autocommit` it plants a bug: transactions are taken
    out of the conversation, so that every statement is final by itself.
    """

    def __init__(self, database_url: str, *, autocommit: bool = False) -> None:
        self._target = urlsplit(database_url)
        self._autocommit = autocommit
        self._links: set[_Link] = set()
        self._cut_at: int | None = None
        self.sent = 0
        self.has_cut = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._cut()
        await asyncio.gather(*(link.ended.wait() for link in tuple(self._links)))

    @property
    def url(self) -> str:
        """The database's address by way of this proxy, without TLS."""
        port = self._server.sockets[0].getsockname()[1]
        place = f"{self._target.username}:{self._target.password}@{HOST}:{port}"
        return urlunsplit((self._target.scheme, place, self._target.path, "sslmode=disable", ""))

    def arm(self, cut_at: int | None) -> None:
        """Count statements from 0 and cut at this one; 0 cuts before the first reaches PostgreSQL, None never."""
        self._cut_at, self.sent = cut_at, 0
        self.has_cut = False

    def revive(self) -> None:
        """Take connections again, as for a process that was started anew."""
        self.arm(None)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.has_cut:
            writer.transport.abort()
            return
        server = await asyncio.open_connection(self._target.hostname, self._target.port)
        link = _Link(self, (reader, writer), server)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    def batch_may_pass(self, batch: list[_Message]) -> tuple[bool, bool, bool]:
        """Whether a batch goes on to PostgreSQL, whether it counts, and whether its answer is the one that cuts."""
        if batch[-1].kind not in _QUERY + _SYNC:
            return True, False, False
        counts = batch[-1].kind == _QUERY or any(part.kind == _EXECUTE for part in batch)
        if not counts:
            return True, False, False
        if self._cut_at == 0:
            self._cut()
            return False, True, True
        self.sent += 1
        return True, True, self.sent == self._cut_at

    def answered_the_last_one(self) -> None:
        """PostgreSQL is done with the statement after which everything breaks."""
        self._cut()

    def altered(self, message: _Message) -> _Message:
        """The message as it goes on: with the planted bug there are no transactions, and the tenant stays for the session."""
        if not self._autocommit:
            return message
        if message.kind == _QUERY:
            text = _BEGIN.sub(b"", message.body).replace(b"set local ", b"set ")
            return _Message(_QUERY, b"select 1\x00" if _INSIDE.match(text) else text)
        return _Message(message.kind, message.body.replace(b"$1, true)", b"$1, false)"))

    def _cut(self) -> None:
        self.has_cut = True
        for link in tuple(self._links):
            link.abort()


class _Link:
    """One connection of the service and its counterpart."""

    def __init__(
        self,
        proxy: CuttingProxy,
        service: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._from_service, self._to_service = service
        self._from_server, self._to_server = server
        self._waiting: deque[bool] = deque()
        self._is_last = False
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Carry both ways until either side is gone."""
        ways = [asyncio.ensure_future(self._to_postgres()), asyncio.ensure_future(self._to_caller())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.ended.set()

    def abort(self) -> None:
        """Break both sides without a word."""
        for writer in (self._to_service, self._to_server):
            writer.transport.abort()

    async def _to_postgres(self) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            size = await self._from_service.readexactly(4)
            self._to_server.write(size + await self._from_service.readexactly(int.from_bytes(size) - 4))
            batch: list[_Message] = []
            while True:
                batch.append(self._proxy.altered(await _read(self._from_service)))
                if batch[-1].kind not in _PARTS_OF_A_BATCH:
                    self._pass_on(batch)
                    batch = []

    def _pass_on(self, batch: list[_Message]) -> None:
        may_pass, counts, is_last = self._proxy.batch_may_pass(batch)
        if not may_pass:
            return
        if batch[-1].kind in _QUERY + _SYNC:
            self._waiting.append(counts)
            self._is_last = is_last
        self._to_server.write(b"".join(message.wire for message in batch))

    async def _to_caller(self) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                message = await _read(self._from_server)
                if message.kind == _READY and self._waiting:
                    self._waiting.popleft()
                    if self._is_last:
                        return self._proxy.answered_the_last_one()
                if not self._is_last:
                    self._to_service.write(message.wire)


async def _read(reader: asyncio.StreamReader) -> _Message:
    head = await reader.readexactly(_HEAD)
    return _Message(head[:1], await reader.readexactly(int.from_bytes(head[1:]) - 4))
