"""The data keys at hand: opened by their keeper once, kept for minutes, bounded in number."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from messaging.clients.keys.port import KeyEncryption, KeyRefused
from messaging.clients.keys.sealing import DataKey
from messaging.domain.keys import KeyPlace, WrappedKey

LIFETIME_SECONDS = 300.0
MOST_CONVERSATIONS = 10_000

_Owner = tuple[UUID, UUID]


@dataclass(slots=True)
class _Kept:
    until: float
    keys: dict[int, DataKey] = field(default_factory=dict)


class Keyring:
    """Makes, opens and wraps data keys; `current` wraps, `former` ones only unwrap what they wrapped.

    What it keeps only saves the way to the keeper: whether a conversation still has its keys is for its row to say, in the same
    transaction. Whoever destroys keys calls `forget`.
    """

    def __init__(
        self,
        current: KeyEncryption,
        former: Sequence[KeyEncryption] = (),
        *,
        lifetime_seconds: float = LIFETIME_SECONDS,
        most: int = MOST_CONVERSATIONS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._current = current
        self._keepers = {each.scheme: each for each in (*former, current)}
        self._lifetime = lifetime_seconds
        self._most = most
        self._monotonic = monotonic
        self._kept: OrderedDict[_Owner, _Kept] = OrderedDict()
        self._opening: dict[KeyPlace, asyncio.Task[DataKey]] = {}

    async def make(self, place: KeyPlace) -> tuple[DataKey, WrappedKey]:
        """A fresh data key and its wrapped form. It is not kept: nobody knows yet whether it will be stored."""
        key = DataKey.fresh(place.version)
        return key, await self._current.wrap(key.secret, place)

    def find(self, place: KeyPlace) -> DataKey | None:
        """The key, if it is at hand."""
        kept = self._fresh(place)
        return kept.keys.get(place.version) if kept else None

    def has_any(self, tenant_id: UUID, conversation_id: UUID) -> bool:
        """Whether some key of the conversation is at hand."""
        kept = self._kept.get((tenant_id, conversation_id))
        return kept is not None and kept.until > self._monotonic()

    async def open(self, wrapped: WrappedKey, place: KeyPlace) -> DataKey:
        """The key, from the keeper where it is not at hand; many who ask at once are one call. Raises KeyRefused."""
        found = self.find(place)
        if found is not None:
            return found
        opening = self._opening.get(place)
        if opening is None:
            opening = asyncio.create_task(self._open(wrapped, place))
            self._opening[place] = opening
            opening.add_done_callback(lambda done: self._opened(place, done))
        # Shielded: whoever gives up waiting does not take the answer away from the others.
        return await asyncio.shield(opening)

    def forget(self, tenant_id: UUID, conversation_id: UUID) -> None:
        """Nothing of the conversation is kept any more."""
        self._kept.pop((tenant_id, conversation_id), None)

    async def current_id(self) -> str:
        """The id of the key-encryption key that wraps now."""
        return await self._current.current_id()

    async def wrap_anew(self, wrapped: WrappedKey, place: KeyPlace) -> WrappedKey:
        """The same data key under the current key-encryption key."""
        secret = await self._keeper_of(wrapped).unwrap(wrapped, place)
        return await self._current.wrap(secret, place)

    async def aclose(self) -> None:
        """Forgets everything and lets go of the keepers."""
        self._kept.clear()
        for keeper in self._keepers.values():
            await keeper.close()

    async def _open(self, wrapped: WrappedKey, place: KeyPlace) -> DataKey:
        key = DataKey(place.version, await self._keeper_of(wrapped).unwrap(wrapped, place))
        self._keep(place, key)
        return key

    def _opened(self, place: KeyPlace, done: asyncio.Task[DataKey]) -> None:
        del self._opening[place]
        # Looked at here, since all who waited for it may have gone away.
        if not done.cancelled():
            done.exception()

    def _keeper_of(self, wrapped: WrappedKey) -> KeyEncryption:
        keeper = self._keepers.get(wrapped.kek_id.partition(":")[0])
        if keeper is None:
            raise KeyRefused("no keeper of this kind is configured")
        return keeper

    def _keep(self, place: KeyPlace, key: DataKey) -> None:
        kept = self._fresh(place)
        if kept is None:
            kept = self._kept[place.tenant_id, place.conversation_id] = _Kept(self._monotonic() + self._lifetime)
        kept.keys[place.version] = key
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _fresh(self, place: KeyPlace) -> _Kept | None:
        owner = (place.tenant_id, place.conversation_id)
        kept = self._kept.get(owner)
        if kept is None:
            return None
        if kept.until <= self._monotonic():
            del self._kept[owner]
            return None
        self._kept.move_to_end(owner)
        return kept
