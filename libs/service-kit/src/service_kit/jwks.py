"""The issuer's public keys: fetched, kept, kept on while the issuer is away, and looked up again a bounded number of times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from service_kit import metrics
from service_kit.logs import get_logger

FetchJwks = Callable[[], Awaitable[Mapping[str, Any]]]
"""Gives a JWKS document, `{"keys": [..]}`."""

FRESH_SECONDS = 300.0
"""How long fetched keys are used without asking again."""

REFETCH_SECONDS = 10.0
"""The least time between two fetches, whatever unknown key ids callers send."""

_log = get_logger(__name__)


class JwksSource:
    """Public signing keys by key id.

    A fetch happens when keys are older than five minutes, and for an unknown key id at most every ten seconds. While a fetch
    fails the keys at hand stay in use.
    """

    def __init__(self, fetch: FetchJwks, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: dict[str, OKPKey] = {}
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()
        self.generation = 0
        """Grows by one whenever the set of keys changes."""

    async def find(self, kid: str) -> OKPKey | None:
        """The key of this id, or None when the issuer does not know it; raises LookupError when no key could ever be fetched."""
        age = self._monotonic() - self._tried_at
        if age > FRESH_SECONDS or (kid not in self._keys and age > REFETCH_SECONDS):
            await self._refresh(age)
        elif kid not in self._keys and self._lock.locked():
            # Somebody is fetching right now: the first requests after a start come together.
            async with self._lock:
                pass
        if not self._keys:
            raise LookupError("no keys of the issuer are known")
        return self._keys.get(kid)

    async def _refresh(self, age_seen: float) -> None:
        async with self._lock:
            if self._monotonic() - self._tried_at < age_seen:
                return
            self._tried_at = self._monotonic()
            try:
                self._take(await self._fetch())
            except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
                metrics.JWKS_FETCHES.labels("failed").inc()
                _log.warning("jwks.fetch_failed", error=type(error).__name__, known_keys=len(self._keys))
            else:
                metrics.JWKS_FETCHES.labels("fetched").inc()

    def _take(self, document: Mapping[str, Any]) -> None:
        keys = {key["kid"]: OKPKey.import_key(dict(key)) for key in document["keys"] if _signs(key)}
        if keys.keys() != self._keys.keys():
            self.generation += 1
        self._keys = keys


def fetch_over_http(url: str, client: httpx.AsyncClient) -> FetchJwks:
    """Fetches a JWKS document from `url`; answers other than 200 count as failures."""

    async def fetch() -> Mapping[str, Any]:
        response = await client.get(url, timeout=3.0)
        response.raise_for_status()
        document: Mapping[str, Any] = response.json()
        return document

    return fetch


@asynccontextmanager
async def keys_at(url: str) -> AsyncIterator[JwksSource]:
    """The keys of the issuer that publishes them at `url`, asked over a client that lives as long as the block."""
    async with httpx.AsyncClient() as client:
        yield JwksSource(fetch_over_http(url, client))


def fixed_jwks(document: Mapping[str, Any]) -> FetchJwks:
    """Hands out one document for ever, for an issuer whose keys are at hand."""

    async def fetch() -> Mapping[str, Any]:
        return document

    return fetch


def _signs(key: Mapping[str, Any]) -> bool:
    is_ed25519 = key.get("kty") == "OKP" and key.get("crv") == "Ed25519"
    return (
        is_ed25519 and key.get("use", "sig") == "sig" and key.get("alg", "EdDSA") == "EdDSA" and isinstance(key.get("kid"), str)
    )
