"""Calls of the stores' SDKs, which block: on a few threads of their own, and with one kind of error."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service_kit.errors import ServiceUnavailable
from service_kit.logs import get_logger

Result = TypeVar("Result")

_log = get_logger(__name__)

THREADS = 4
"""Each call takes some milliseconds, and there is one per file."""

CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0
"""How long the store may be silent before it counts as away."""

CHUNK_BYTES = 1024 * 1024


class Calls:
    """Runs blocking calls; errors of the given kinds mean that the store is away."""

    def __init__(self, *away: type[BaseException]) -> None:
        self._away: tuple[type[BaseException], ...] = (*away, OSError)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")

    async def run(self, call: Callable[[], Result]) -> Result:
        """What the call gives; raises ServiceUnavailable when the store is away."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except self._away as error:
            _log.warning("objects.store_away", error=type(error).__name__)
            raise ServiceUnavailable("The object store cannot be reached.") from error

    async def close(self) -> None:
        """Waits for the calls that run."""
        await asyncio.to_thread(self._threads.shutdown)


def sha256_of(chunks: Iterable[bytes]) -> bytes:
    """The SHA-256 of bytes that come in pieces."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()
