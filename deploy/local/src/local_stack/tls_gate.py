"""TLS in front of a server that was built without it, as the wheels of PostgreSQL and Valkey are; for tests.

What clients see is what a managed service shows them: a certificate, and nothing to be had in plain text.
"""

import asyncio
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from local_stack.ports import HOST, free_port

# What a client of PostgreSQL sends before it speaks TLS: the length 8 and the number 80877103.
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_CHUNK = 65_536


class TlsGate:
    """Listens on `port`, speaks TLS 1.3 with the certificate of a file, and hands on to `target`, a port of this machine.

    With `asked_first` a client has to ask for TLS as PostgreSQL's protocol has it; one that does not is cut off.
    """

    def __init__(self, target: int, certificate: Path, *, asked_first: bool = False) -> None:
        self.port = free_port()
        self._target = target
        self._asked_first = asked_first
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._tls.load_cert_chain(certificate)
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self.connected = 0
        """How many clients have got through their handshake."""
        self._server = self._loop.run_until_complete(asyncio.start_server(self._accept, HOST, self.port))
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-gate", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port for clients."""
        return f"{HOST}:{self.port}"

    def close(self) -> None:
        """Stop listening and cut who is connected."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that is refused, or goes away, ends its own connection and nothing else.
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            try:
                if await self._is_encrypted(reader, writer):
                    await self._hand_on(reader, writer)
            finally:
                writer.transport.abort()

    async def _is_encrypted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self._asked_first:
            if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
                return False
            writer.write(b"S")
            await writer.drain()
        await writer.start_tls(self._tls)
        self.connected += 1
        return True

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(HOST, self._target)
        ways = [
            asyncio.ensure_future(_pass_on(reader, server_writer)),
            asyncio.ensure_future(_pass_on(server_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server_writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
