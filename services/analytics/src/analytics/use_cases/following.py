"""Keeps the feed of a process going: a look whenever PostgreSQL says that something was told, and every second besides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from pydantic import SecretStr

from analytics.use_cases.feed import Feed
from service_kit.logs import describe_exception, get_logger
from service_kit.unit_of_work import Clock
from service_kit.wakeups import Wakeups

_log = get_logger(__name__)

CHANNEL = "windows_told"
LOOK_SECONDS = 1.0
_LOG_EVERY = 25


class FeedUpkeep:
    """Looks as long as anybody follows; while the database is away it goes on trying, and readers go on waiting."""

    def __init__(self, feed: Feed, database_url: SecretStr, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        self._told = asyncio.Event()
        self._wakeups = Wakeups(database_url, {CHANNEL: [self._wake]}, name="analytics-api-stream")
        self._failures = 0

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._told.wait()
                self._told.clear()
                if self._feed.count:
                    await self._safely(self._listen)
                    await self._safely(self._feed.look)
        finally:
            await self._wakeups.end()

    async def _listen(self) -> None:
        await self._wakeups.work(self._clock())

    async def _safely(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        # Whatever it is, the next look may succeed, and readers are told that the stream lives by its heart beats.
        except Exception as error:
            if self._failures % _LOG_EVERY == 0:
                _log.warning("stream.look_failed", failure=describe_exception(error))
            self._failures += 1
        else:
            self._failures = 0

    def _wake(self, _now: datetime) -> None:
        self._told.set()
