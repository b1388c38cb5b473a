"""Rate limits: a moving window per key, shared by all processes in Valkey, kept in each one's memory while Valkey is away."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service_kit import metrics
from service_kit.errors import TooManyRequests
from service_kit.logs import get_logger

_log = get_logger(__name__)

# A service has a handful of limits and reads each of them with every request.
_parsed = cache(parse)

AWAY_SECONDS = 5.0
"""How long this process keeps to its own memory after Valkey failed, before it asks again."""

ANSWER_SECONDS = 0.5

# KEYS: one for each allowance, a list of when it was taken, newest first and no longer than the limit. ARGV: of each key how
# many may be taken, and in how many milliseconds. Gives the first that is full, counted from 1, and in how many milliseconds it
# has room; nothing when all had room. The time is Valkey's own, so that processes need not agree about theirs.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for place, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * place - 1]), tonumber(ARGV[2 * place])
  if most < 1 then return {place, window} end
  local first = redis.call('LINDEX', key, most - 1)
  if first and first + window > now then return {place, first + window - now} end
  redis.call('LPUSH', key, now)
  redis.call('LTRIM', key, 0, most - 1)
  redis.call('PEXPIRE', key, window)
end
return {}
"""


class Allowance(NamedTuple):
    """So many in so long (such as "5/minute") for a key, of which only a hash is kept; `name` is for metrics."""

    limit: str
    key: str
    name: str


class _Window(NamedTuple):
    item: RateLimitItem
    name: str
    key: str


class _Full(NamedTuple):
    place: int
    wait_seconds: float


class RateLimiter:
    """Counts by name and key; raises TooManyRequests with the seconds to wait once a window is full.

    While Valkey is away each process counts on its own, so that a limit holds per process instead of over all of them.
    """

    def __init__(self, valkey_url: SecretStr | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._client = _client(valkey_url) if valkey_url else None
        self._script: Any = self._client.register_script(_TAKE) if self._client else None
        self._away_until = float("-inf")

    async def check(self, limit: str, key: str, *, name: str) -> None:
        """Takes one of a single allowance."""
        await self.check_all(Allowance(limit, key, name))

    async def check_all(self, *allowances: Allowance) -> None:
        """Takes one of each in their order, up to the first that is full, in a single round trip to Valkey."""
        full = await self._take([_window(each) for each in allowances])
        for each in allowances[: full.place] if full else allowances:
            metrics.RATE_LIMITS.labels(each.name, "allowed").inc()
        if full:
            metrics.RATE_LIMITS.labels(allowances[full.place].name, "refused").inc()
            raise TooManyRequests(retry_after_seconds=max(1, math.ceil(full.wait_seconds)))

    async def close(self) -> None:
        """Closes the connections to Valkey."""
        if self._client is not None:
            await self._client.aclose()

    async def _take(self, windows: Sequence[_Window]) -> _Full | None:
        if self._script is None:
            return await self._take_here(windows)
        if self._monotonic() >= self._away_until:
            try:
                return await self._take_shared(windows)
            except (RedisError, OSError) as error:
                self._away_until = self._monotonic() + AWAY_SECONDS
                _log.warning("rate_limits.valkey_away", error=type(error).__name__)
        full = await self._take_here(windows)
        metrics.RATE_LIMIT_FALLBACKS.inc(full.place + 1 if full else len(windows))
        return full

    async def _take_shared(self, windows: Sequence[_Window]) -> _Full | None:
        limits = [number for each in windows for number in (each.item.amount, each.item.get_expiry() * 1000)]
        answer = await self._script(keys=[f"limit:{each.name}:{each.key}" for each in windows], args=limits)
        return _Full(answer[0] - 1, answer[1] / 1000) if answer else None

    async def _take_here(self, windows: Sequence[_Window]) -> _Full | None:
        for place, window in enumerate(windows):
            if not await self._local.hit(*window):
                stats = await self._local.get_window_stats(*window)
                return _Full(place, stats.reset_time - time.time())
        return None


def _window(allowance: Allowance) -> _Window:
    hidden = hashlib.blake2b(allowance.key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return _Window(_parsed(allowance.limit), allowance.name, hidden)


def _client(url: SecretStr) -> Any:
    address = url.get_secret_value().replace("valkey://", "redis://", 1)
    return Redis.from_url(address, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS)
