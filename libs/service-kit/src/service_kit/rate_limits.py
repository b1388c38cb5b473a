"""Rate limits: a moving window per key, shared by all processes in Valkey, kept in each one's memory while Valkey is away."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from functools import cache

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import SecretStr
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from service_kit import metrics
from service_kit.errors import TooManyRequests
from service_kit.logs import get_logger

_log = get_logger(__name__)

# A service has a handful of limits and reads each of them with every request.
_parsed = cache(parse)

AWAY_SECONDS = 5.0
"""How long this process keeps to its own memory after Valkey failed, before it asks again."""


class RateLimiter:
    """Counts by limit and key; raises TooManyRequests with the seconds to wait once a window is full.

    While Valkey is away each process counts on its own, so that a limit holds per process instead of over all of them.
    """

    def __init__(self, valkey_url: SecretStr | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._connections = _connections(valkey_url) if valkey_url else None
        self._shared = MovingWindowRateLimiter(_storage(self._connections)) if self._connections else None
        self._away_until = float("-inf")

    async def check(self, limit: str, key: str, *, name: str) -> None:
        """Takes one of `limit` (such as "5/minute") for `key`, of which only a hash is kept; `name` is for metrics."""
        item = _parsed(limit)
        hidden = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        strategy, taken = await self._take(item, name, hidden)
        metrics.RATE_LIMITS.labels(name, "allowed" if taken else "refused").inc()
        if not taken:
            raise TooManyRequests(retry_after_seconds=await self._wait(strategy, item, name, hidden))

    async def close(self) -> None:
        """Closes the connections to Valkey."""
        if self._connections is not None:
            await self._connections.aclose()

    async def _take(self, item: RateLimitItem, name: str, key: str) -> tuple[MovingWindowRateLimiter, bool]:
        if self._shared is not None and self._monotonic() >= self._away_until:
            try:
                return self._shared, await self._shared.hit(item, name, key)
            except (RedisError, OSError) as error:
                self._away_until = self._monotonic() + AWAY_SECONDS
                _log.warning("rate_limits.valkey_away", error=type(error).__name__)
        if self._shared is not None:
            metrics.RATE_LIMIT_FALLBACKS.inc()
        return self._local, await self._local.hit(item, name, key)

    async def _wait(self, strategy: MovingWindowRateLimiter, item: RateLimitItem, name: str, key: str) -> int:
        try:
            stats = await strategy.get_window_stats(item, name, key)
        except (RedisError, OSError):
            return item.get_expiry()
        return max(1, math.ceil(stats.reset_time - time.time()))


def _connections(url: SecretStr) -> ConnectionPool:
    address = url.get_secret_value().replace("valkey://", "redis://", 1)
    return ConnectionPool.from_url(address, socket_timeout=0.5, socket_connect_timeout=0.5)


def _storage(connections: ConnectionPool) -> RedisStorage:
    # The address only says that it is Redis's protocol: the pool knows where to.
    return RedisStorage("async+redis://", implementation="redispy", connection_pool=connections)  # type: ignore[arg-type]  # its annotation forgets what it takes
