"""What the socket processes tell each other over Valkey: wakes, and what is gone once it was shown, such as somebody typing.

All of it may be lost. What must arrive is read from the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from messaging.clients.wake import CHANNEL
from service_kit.logs import get_logger

_log = get_logger(__name__)

LIVE_CHANNEL = "messaging:live"
ANSWER_SECONDS = 0.5
PAUSE_SECONDS = 0.5
QUIET_SECONDS = 10.0
"""After so long without a message the connection is asked whether it lives."""
MOST_WAITING = 1_000

Take = Callable[[dict[str, Any]], None]


class Bus:
    """Hears both channels and speaks on one; comes back by itself when Valkey does."""

    def __init__(self, valkey_url: SecretStr) -> None:
        self._url = valkey_url
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self.is_up = False

    async def run(self, *, on_wake: Take, on_live: Take, on_up: Callable[[], None]) -> None:
        """Hears and speaks until it is cancelled.

        `on_wake` and `on_live` get what arrives; `on_up` is called each time that the channels are heard again, for wakes may
        have been missed before.
        """
        take = {CHANNEL: on_wake, LIVE_CHANNEL: on_live}
        await asyncio.gather(
            self._again_and_again(lambda client: self._hear(client, take, on_up)), self._again_and_again(self._speak)
        )

    def tell(self, message: dict[str, Any]) -> None:
        """Says something to all socket processes, this one too, without waiting; it is dropped while Valkey is away."""
        if self.is_up and not self._waiting.full():
            self._waiting.put_nowait(orjson.dumps(message, default=str))

    async def _again_and_again(self, work: Callable[[Any], Awaitable[None]]) -> None:
        while True:
            try:
                async with _client(self._url) as client:
                    await work(client)
            except (RedisError, OSError) as error:
                if self.is_up:
                    _log.warning("bus.down", error=type(error).__name__)
                self.is_up = False
            await asyncio.sleep(PAUSE_SECONDS)

    async def _hear(self, client: Any, take: Mapping[str, Take], on_up: Callable[[], None]) -> None:  # redis ships no types
        async with client.pubsub(ignore_subscribe_messages=True) as channels:
            await channels.subscribe(*take)
            self.is_up = True
            on_up()
            while True:
                message = await channels.get_message(timeout=QUIET_SECONDS)
                if message is None:
                    await channels.ping()
                elif message["type"] == "message":
                    _hand_over(take[message["channel"].decode()], message["data"])

    async def _speak(self, client: Any) -> None:
        while True:
            messages = [await self._waiting.get()]
            while not self._waiting.empty():
                messages.append(self._waiting.get_nowait())
            async with client.pipeline(transaction=False) as pipeline:
                for message in messages:
                    pipeline.publish(LIVE_CHANNEL, message)
                await pipeline.execute()


def _hand_over(take: Take, data: bytes) -> None:
    try:
        message = orjson.loads(data)
    except ValueError:
        return
    if isinstance(message, dict):
        take(message)


def _client(url: SecretStr) -> Any:
    address = url.get_secret_value().replace("valkey://", "redis://", 1)
    return Redis.from_url(address, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, max_connections=1)
