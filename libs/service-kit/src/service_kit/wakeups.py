"""Wakes chores of this process when some transaction has made something due: PostgreSQL's NOTIFY, heard within milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import asyncpg
from pydantic import SecretStr

from service_kit.database import CONNECT_SECONDS, SERVER_SETTINGS, Connection
from service_kit.unit_of_work import Clock, utc_now

Wake = Callable[[datetime], None]
"""Tells a chore that something is due: `chore.due_at`."""

_CLOSE_SECONDS = 1.0


class Wakeups:
    """Listens on channels of one database; as the work of a chore it connects again within a second after a loss.

    What was notified while nobody listened is not lost to its chore: each is woken after every connect, and looks by itself
    from time to time.
    """

    def __init__(
        self, database_url: SecretStr, wakes: Mapping[str, Sequence[Wake]], *, name: str, clock: Clock = utc_now
    ) -> None:
        self._url = database_url
        self._wakes = dict(wakes)
        self._name = name
        self._clock = clock
        self._connection: Connection | None = None

    async def work(self, _now: datetime) -> None:
        """See that the connection stands; raises what keeps it from standing."""
        if self._connection is not None and not self._connection.is_closed():
            return
        settings = {**SERVER_SETTINGS, "application_name": self._name}
        connection = await asyncpg.connect(self._url.get_secret_value(), timeout=CONNECT_SECONDS, server_settings=settings)
        for channel in self._wakes:
            await connection.add_listener(channel, self._heard)
        self._connection = connection
        for channel in self._wakes:
            self._wake(channel)

    async def end(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=_CLOSE_SECONDS)

    def _heard(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        self._wake(channel)

    def _wake(self, channel: str) -> None:
        for wake in self._wakes[channel]:
            wake(self._clock())
