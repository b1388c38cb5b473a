"""Wakes the socket processes over Valkey after a commit, so that they look at once for what they would find by themselves soon.

A wake carries ids and no content. It may be lost: the socket processes look into the database several times a second anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

import orjson
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service_kit.logs import get_logger

_log = get_logger(__name__)

CHANNEL = "messaging:wake"
# A wake older than the sockets' own look into the database is worth nothing.
MOST_WAITING = 1_000
ANSWER_SECONDS = 0.25
PAUSE_SECONDS = 1.0


class Waker:
    """Publishes wakes in the background: giving one never waits and never fails; while Valkey is away they are dropped."""

    def __init__(self, valkey_url: SecretStr | None) -> None:
        self._url = valkey_url
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._url is not None:
            self._sending = asyncio.create_task(self._send_all(_client(self._url)))
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still waits is dropped."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    def conversation(self, tenant_id: UUID, conversation_id: UUID, sequence: int, members: Sequence[UUID] | None = None) -> None:
        """The conversation has changes up to this place; `members` are given where who takes part may be news."""
        wake: dict[str, Any] = {"t": tenant_id, "c": conversation_id, "s": sequence}
        self._give(wake if members is None else {**wake, "m": members})

    def alerts(self, tenant_id: UUID, user_id: UUID) -> None:
        """Something changed about the alerts of this person."""
        self._give({"t": tenant_id, "u": user_id, "a": 1})

    def session_ended(self, tenant_id: UUID, session_id: UUID) -> None:
        """Connections of this session have to be cut."""
        self._give({"t": tenant_id, "x": session_id})

    def account_suspended(self, tenant_id: UUID, user_id: UUID) -> None:
        """Connections of this person have to be cut."""
        self._give({"t": tenant_id, "p": user_id})

    def _give(self, wake: dict[str, Any]) -> None:
        if self._sending is None or self._waiting.full():
            return
        # asyncpg's own UUIDs are a subclass, which orjson leaves to `default`.
        self._waiting.put_nowait(orjson.dumps(wake, default=str))

    async def _send_all(self, client: Any) -> None:  # redis ships no types
        async with client:
            while True:
                wakes = [await self._waiting.get(), *self._take_waiting()]
                if not await _sent(client, wakes):
                    await asyncio.sleep(PAUSE_SECONDS)
                    self._take_waiting()

    def _take_waiting(self) -> list[bytes]:
        return [self._waiting.get_nowait() for _ in range(self._waiting.qsize())]


async def _sent(client: Any, wakes: list[bytes]) -> bool:
    try:
        async with client.pipeline(transaction=False) as pipeline:
            for wake in wakes:
                pipeline.publish(CHANNEL, wake)
            await pipeline.execute()
    except (RedisError, OSError) as error:
        _log.warning("wake.not_sent", count=len(wakes), error=type(error).__name__)
        return False
    return True


def _client(url: SecretStr) -> Any:  # redis ships no types
    address = url.get_secret_value().replace("valkey://", "redis://", 1)
    return Redis.from_url(address, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, max_connections=1)
