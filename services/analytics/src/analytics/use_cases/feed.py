"""Changed windows for those who follow them: looked up once per organisation, handed to everybody who may see them.

PostgreSQL's word that something was told starts a look at once; a look every second is the net under it. What a reader has not
taken yet waits by window, the newest state of each, so that a slow reader costs a bounded amount and skips states, not windows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from analytics.domain.following import MOST_WAITING, TooManyStreams, Wanted
from analytics.domain.spans import Window
from analytics.repository.told_windows import ToldWindow, read_position, read_told
from bloom_events.ids import TenantId
from service_kit.unit_of_work import UnitOfWork

UnitOf = Callable[[TenantId], UnitOfWork]
_Key = tuple[int, str, Window]


class Follower:
    """One reader: what waits for it, and up to where it has been told everything once that is taken."""

    def __init__(self, tenant_id: TenantId, subject: UUID, wanted: Wanted) -> None:
        self.tenant_id = tenant_id
        self.subject = subject
        self.position = 0
        self._wanted = wanted
        self._waiting: dict[_Key, ToldWindow] = {}
        self._is_lost = False
        self._something = asyncio.Event()

    def offer(self, changes: Iterable[ToldWindow], position: int) -> None:
        """Have those changes wait that are wanted; older states of a window give way to newer ones."""
        for change in changes:
            if self._wanted.takes(change.metric, change.step, change.dimensions):
                key = (change.series_id, change.step, change.window)
                known = self._waiting.get(key)
                if known is None or known.revision <= change.revision:
                    self._waiting[key] = change
        self.position = position
        if len(self._waiting) > MOST_WAITING:
            self.lose(position)
        elif self._waiting:
            self._something.set()

    def lose(self, position: int) -> None:
        """Give up what waits: the reader has to read the series anew."""
        self._waiting.clear()
        self._is_lost, self.position = True, position
        self._something.set()

    async def take(self, within_seconds: float) -> tuple[bool, list[ToldWindow], int]:
        """Whether something was lost, what has changed, and the position after it; waits a while for something to change."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self._something.wait()
        self._something.clear()
        taken, was_lost = list(self._waiting.values()), self._is_lost
        self._waiting.clear()
        self._is_lost = False
        return was_lost, taken, self.position


@dataclass(slots=True)
class _Tenant:
    """An organisation that is followed: up to where it was looked at, and what of it would be seen once more."""

    position: int | None = None
    followers: set[Follower] = field(default_factory=set)
    seen: dict[_Key, int] = field(default_factory=dict)


class Feed:
    """The followers of one process."""

    def __init__(self, unit_of: UnitOf, *, most_per_person: int, most: int, most_at_once: int) -> None:
        self._unit_of = unit_of
        self._most_per_person = most_per_person
        self._most = most
        # When one look finds more changes every reader reads the series anew.
        self._most_at_once = most_at_once
        self._tenants: dict[TenantId, _Tenant] = {}
        self._followers: set[Follower] = set()

    @property
    def count(self) -> int:
        """How many follow."""
        return len(self._followers)

    async def follow(self, tenant_id: TenantId, subject: UUID, wanted: Wanted, *, after: int | None = None) -> Follower:
        """A new follower, of everything that is told from now on, or was told since `after`.

        Raises TooManyStreams. Whoever follows must `leave`.
        """
        self._check_limits(subject)
        follower = Follower(tenant_id, subject, wanted)
        self._followers.add(follower)
        try:
            await self._join(follower, after)
        except BaseException:
            self.leave(follower)
            raise
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget a follower; once nobody follows an organisation it is looked at no more."""
        self._followers.discard(follower)
        tenant = self._tenants.get(follower.tenant_id)
        if tenant is not None:
            tenant.followers.discard(follower)
            if not tenant.followers:
                del self._tenants[follower.tenant_id]

    async def look(self) -> None:
        """Hand over what was told since the last look."""
        for tenant_id, tenant in list(self._tenants.items()):
            # Without a position the first reader is just joining, and will give it one.
            if tenant.position is not None:
                self._hand_over(tenant, *await self._read(tenant_id, tenant.position))

    def _check_limits(self, subject: UUID) -> None:
        if sum(each.subject == subject for each in self._followers) >= self._most_per_person:
            raise TooManyStreams(f"One person may have {self._most_per_person}.")
        if len(self._followers) >= self._most:
            raise TooManyStreams

    async def _join(self, follower: Follower, after: int | None) -> None:
        """Have looks hand over to the follower first, then read what it missed: what falls between comes twice, not never."""
        tenant = self._tenants.setdefault(follower.tenant_id, _Tenant())
        tenant.followers.add(follower)
        position, missed = await self._read(follower.tenant_id, after)
        if tenant.position is None:
            tenant.position = position
        start = min(position, tenant.position)
        if after is not None and (after > position or len(missed) >= self._most_at_once):
            follower.lose(start)
        else:
            follower.offer(missed, start)

    async def _read(self, tenant_id: TenantId, since: int | None) -> tuple[int, list[ToldWindow]]:
        async with self._unit_of(tenant_id).begin() as transaction:
            # In this order: what is told between both statements is seen twice instead of never.
            position = await read_position(transaction.connection)
            changes = await read_told(transaction.connection, since, self._most_at_once) if since is not None else []
        return position, changes

    def _hand_over(self, tenant: _Tenant, position: int, changes: list[ToldWindow]) -> None:
        if len(changes) >= self._most_at_once:
            for follower in tenant.followers:
                follower.lose(position)
        else:
            news = [change for change in changes if tenant.seen.get(_key(change)) != change.revision]
            for follower in tenant.followers:
                follower.offer(news, position)
        tenant.position = position
        tenant.seen = {_key(change): change.revision for change in changes if change.told_in >= position}


def _key(change: ToldWindow) -> _Key:
    return (change.series_id, change.step, change.window)
