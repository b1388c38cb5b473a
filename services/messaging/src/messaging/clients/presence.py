"""Who is connected to any of the socket processes, in Valkey: entries that end by themselves unless they are renewed.

One key per person holds the processes that they are connected to, each with its end; one key holds all ends in their order, so
that the entries of a process that died are found by any other. The time is Valkey's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis

from bloom_events.ids import TenantId

LIFETIME_SECONDS = 30.0
"""How long somebody counts as connected after their process was last heard of."""

ANSWER_SECONDS = 0.5
AT_ONCE = 500
_ENDS = "messaging:presence:ends"

_CLOCK = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
# KEYS: the person's, all ends. ARGV: process, entry among all ends, lifetime in milliseconds. Gives how many processes had them.
_ENTER = (
    _CLOCK
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local before = redis.call('ZCARD', KEYS[1])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3] * 2)
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2])
return before
"""
)
# The same keys and arguments. Gives how many processes have them still.
_LEAVE = (
    _CLOCK
    + """
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])
"""
)
# KEYS: all ends. ARGV: how many at most. Gives the entries that ended; each is given to one who asks.
_SWEEP = (
    _CLOCK
    + """
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, entry in ipairs(ended) do redis.call('ZREM', KEYS[1], entry) end
return ended
"""
)


class PresenceStore:
    """The entries of one socket process. Raises RedisError or OSError while Valkey is away."""

    def __init__(self, valkey_url: SecretStr, process: str, *, lifetime_seconds: float = LIFETIME_SECONDS) -> None:
        address = valkey_url.get_secret_value().replace("valkey://", "redis://", 1)
        self._client: Any = Redis.from_url(address, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS)
        self._process = process
        self._lifetime = int(lifetime_seconds * 1000)
        self._enter = self._client.register_script(_ENTER)
        self._leave = self._client.register_script(_LEAVE)
        self._sweep = self._client.register_script(_SWEEP)

    async def enter(self, tenant_id: TenantId, user_id: UUID) -> bool:
        """Somebody is connected here; true when they were connected nowhere before."""
        return bool(await self._enter(keys=_keys(tenant_id, user_id), args=self._arguments(tenant_id, user_id)) == 0)

    async def leave(self, tenant_id: TenantId, user_id: UUID) -> bool:
        """Somebody is connected here no longer; true when they are connected nowhere."""
        return bool(await self._leave(keys=_keys(tenant_id, user_id), args=self._arguments(tenant_id, user_id)) == 0)

    async def renew(self, people: Sequence[tuple[TenantId, UUID]]) -> None:
        """These are still connected here."""
        for start in range(0, len(people), AT_ONCE):
            async with self._client.pipeline(transaction=False) as pipeline:
                for tenant_id, user_id in people[start : start + AT_ONCE]:
                    await self._enter(keys=_keys(tenant_id, user_id), args=self._arguments(tenant_id, user_id), client=pipeline)
                await pipeline.execute()

    async def online_among(self, tenant_id: TenantId, user_ids: Iterable[UUID]) -> list[UUID]:
        """Those who are connected to any process."""
        asked = list(user_ids)
        async with self._client.pipeline(transaction=False) as pipeline:
            for user_id in asked:
                pipeline.zcard(_person(tenant_id, user_id))
            counts = await pipeline.execute()
        return [user_id for user_id, count in zip(asked, counts, strict=True) if count]

    async def sweep(self, most: int = AT_ONCE) -> list[tuple[TenantId, UUID]]:
        """People whose process was not heard of for long, and who are connected nowhere else."""
        gone = []
        for entry in await self._sweep(keys=[_ENDS], args=[most]):
            tenant, user, process = entry.decode().split(":")
            tenant_id, user_id = TenantId(UUID(tenant)), UUID(user)
            arguments: list[str | int] = [process, entry.decode(), self._lifetime]
            if await self._leave(keys=_keys(tenant_id, user_id), args=arguments) == 0:
                gone.append((tenant_id, user_id))
        return gone

    async def close(self) -> None:
        """Lets go of the connections; the entries end by themselves."""
        await self._client.aclose()

    def _arguments(self, tenant_id: TenantId, user_id: UUID) -> list[str | int]:
        return [self._process, f"{tenant_id}:{user_id}:{self._process}", self._lifetime]


def _person(tenant_id: TenantId, user_id: UUID) -> str:
    return f"messaging:presence:{tenant_id}:{user_id}"


def _keys(tenant_id: TenantId, user_id: UUID) -> list[str]:
    return [_person(tenant_id, user_id), _ENDS]
