"""Keys of conversations: asked for at messaging's internal route, kept in memory for minutes, forgotten once destroyed."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple, Self

import httpx

from bloom_events.ids import ConversationId, TenantId
from ml_scoring.clients import meters
from ml_scoring.domain.limits import KeyPolicy
from service_kit.logs import get_logger
from service_kit.service_tokens import ServiceTokenSigner

KEY_BYTES = 32
MESSAGING = "messaging"
ASKED_AT_ONCE = 16
"""Calls to messaging at a time: a worker that starts asks for many keys, and must not push everybody else aside."""

AWAY_SECONDS = 0.5
"""After a call that failed or took too long no batch is made to wait for messaging; the loop of waiting messages tries on."""

_log = get_logger(__name__)


class KeyId(NamedTuple):
    """Which key."""

    tenant_id: TenantId
    conversation_id: ConversationId
    version: int


class NoKey(StrEnum):
    """Why there is no key now."""

    DESTROYED = "destroyed"
    """And never will be again."""
    UNKNOWN = "unknown"
    """Messaging knows no such key, which it should."""
    AWAY = "away"
    """Messaging does not answer, or not soon enough."""


Key = bytes | NoKey
FetchKey = Callable[[KeyId], Awaitable[Key]]


class MessagingKeys:
    """Asks messaging for a key, in the name of this service; open it with `async with`."""

    def __init__(self, url: str, signer: ServiceTokenSigner, *, timeout_seconds: float) -> None:
        limits = httpx.Limits(max_connections=ASKED_AT_ONCE, max_keepalive_connections=ASKED_AT_ONCE)
        self._client = httpx.AsyncClient(base_url=url, timeout=timeout_seconds, limits=limits, trust_env=False)
        self._signer = signer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def fetch(self, wanted: KeyId) -> Key:
        """The key, or why there is none; raises nothing."""
        path = f"/internal/conversations/{wanted.conversation_id}/keys/{wanted.version}"
        headers = self._signer.headers(MESSAGING, wanted.tenant_id)
        try:
            return _key_in(await self._client.get(path, headers=headers))
        except httpx.HTTPStatusError as error:
            _log.warning("key.not_had", conversation_id=str(wanted.conversation_id), status=error.response.status_code)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            _log.warning("key.not_had", conversation_id=str(wanted.conversation_id), error=type(error).__name__)
        return NoKey.AWAY


class ConversationKeys:
    """Keys in memory, each asked for once however many want it; belongs to one event loop."""

    def __init__(self, fetch: FetchKey, policy: KeyPolicy, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._policy = policy
        self._clock = clock
        self._kept: OrderedDict[KeyId, tuple[bytes, float]] = OrderedDict()
        self._asking: dict[KeyId, asyncio.Task[Key]] = {}
        self._places = asyncio.Semaphore(ASKED_AT_ONCE)
        self._away_until = 0.0

    async def find(self, wanted: Collection[KeyId], *, patience_seconds: float | None = None) -> Mapping[KeyId, Key]:
        """Each key, or why there is none now; waits no longer than it is told to, or than the policy says.

        What is not there in time goes on being fetched: it is there the next time. While messaging is away nothing is waited for,
        unless the caller says how patient it is.
        """
        now, missing = self._clock(), list[KeyId]()
        found: dict[KeyId, Key] = {}
        for key_id in set(wanted):
            if (kept := self._find_kept(key_id, now)) is not None:
                found[key_id] = kept
            else:
                missing.append(key_id)
        meters.KEYS.labels("kept").inc(len(found))
        if patience_seconds is None and now < self._away_until:
            return {**found, **dict.fromkeys(missing, NoKey.AWAY)}
        asked = {key_id: self._ask(key_id) for key_id in missing}
        await self._wait_for(asked.values(), patience_seconds or self._policy.patience_seconds)
        for key_id, task in asked.items():
            found[key_id] = task.result() if task.done() and not task.cancelled() else NoKey.AWAY
        return found

    def forget(self, conversation_id: ConversationId) -> None:
        """Keep no key of this conversation any longer, those on their way included."""
        for key_id in [each for each in self._kept if each.conversation_id == conversation_id]:
            del self._kept[key_id]
        for key_id in [each for each in self._asking if each.conversation_id == conversation_id]:
            self._asking.pop(key_id).cancel()

    def forget_all(self) -> None:
        """Keep no key any longer."""
        self._kept.clear()
        while self._asking:
            self._asking.popitem()[1].cancel()

    def __len__(self) -> int:
        """How many keys are kept."""
        return len(self._kept)

    def _find_kept(self, key_id: KeyId, now: float) -> bytes | None:
        kept = self._kept.get(key_id)
        if kept is None:
            return None
        if kept[1] <= now:
            del self._kept[key_id]
            return None
        self._kept.move_to_end(key_id)
        return kept[0]

    async def _wait_for(self, asked: Collection[asyncio.Task[Key]], seconds: float) -> None:
        if not asked:
            return
        _, late = await asyncio.wait(asked, timeout=seconds)
        if late:
            self._away_until = self._clock() + AWAY_SECONDS

    def _ask(self, key_id: KeyId) -> asyncio.Task[Key]:
        if key_id not in self._asking:
            task = self._asking[key_id] = asyncio.create_task(self._fetch_one(key_id))
            task.add_done_callback(lambda done: self._asking.pop(key_id) if self._asking.get(key_id) is done else None)
        return self._asking[key_id]

    async def _fetch_one(self, key_id: KeyId) -> Key:
        async with self._places:
            started = self._clock()
            key = await self._fetch(key_id)
        meters.KEY_SECONDS.observe(self._clock() - started)
        meters.KEYS.labels("fetched" if isinstance(key, bytes) else key.value).inc()
        if isinstance(key, bytes):
            self._keep(key_id, key)
        elif key is NoKey.AWAY:
            self._away_until = self._clock() + AWAY_SECONDS
        return key

    def _keep(self, key_id: KeyId, key: bytes) -> None:
        self._kept[key_id] = key, self._clock() + self._policy.kept_seconds
        if len(self._kept) > self._policy.most:
            self._kept.popitem(last=False)


def _key_in(answer: httpx.Response) -> Key:
    if answer.status_code == HTTPStatus.GONE:
        return NoKey.DESTROYED
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return NoKey.UNKNOWN
    answer.raise_for_status()
    key = b64decode(answer.json()["key"], validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("not a key of AES-256")
    return key
