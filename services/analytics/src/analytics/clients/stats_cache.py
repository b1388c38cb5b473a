"""Numbers of administrators kept in Valkey for a while. Without Valkey nothing is kept, and nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import orjson
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from analytics.domain.stats import Stats
from bloom_events.ids import TenantId
from service_kit.logs import get_logger

_log = get_logger(__name__)

KEPT_SECONDS = 300
ANSWER_SECONDS = 0.5
AWAY_SECONDS = 5.0
"""How long Valkey is not asked after it failed."""


class StatsCache:
    """One entry per tenant, which ends by itself. A failure looks like a miss."""

    def __init__(self, valkey_url: SecretStr | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = _client(valkey_url) if valkey_url else None
        self._monotonic = monotonic
        self._away_until = float("-inf")

    async def find(self, tenant_id: TenantId) -> Stats | None:
        """What is kept for the tenant; None when there is nothing, or nothing that can be read."""
        if self._client is None or self._is_away:
            return None
        try:
            kept = await self._client.get(_key(tenant_id))
            return _read(kept) if kept else None
        except (RedisError, OSError) as error:
            self._note(error)
        # Whatever else writes there cannot break the numbers.
        except (ValueError, TypeError, KeyError):
            _log.warning("stats_cache.unreadable")
        return None

    async def keep(self, tenant_id: TenantId, stats: Stats) -> None:
        """Keep the numbers for five minutes."""
        if self._client is None or self._is_away:
            return
        try:
            await self._client.set(_key(tenant_id), _written(stats), ex=KEPT_SECONDS)
        except (RedisError, OSError) as error:
            self._note(error)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    @property
    def _is_away(self) -> bool:
        return self._monotonic() < self._away_until

    def _note(self, error: Exception) -> None:
        self._away_until = self._monotonic() + AWAY_SECONDS
        _log.warning("stats_cache.valkey_away", error=type(error).__name__)


def _key(tenant_id: TenantId) -> str:
    return f"cached:admin:stats:{tenant_id}"


def _written(stats: Stats) -> bytes:
    return orjson.dumps(stats)


def _read(kept: bytes | str) -> Stats:
    fields = orjson.loads(kept)
    return Stats(**{**fields, "as_of": datetime.fromisoformat(fields["as_of"])})


def _client(url: SecretStr) -> Redis:
    address = url.get_secret_value().replace("valkey://", "redis://", 1)
    return Redis.from_url(address, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS)
