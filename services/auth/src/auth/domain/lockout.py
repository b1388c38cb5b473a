"""Lockout: how many tries at one address's password are looked at before it must rest.

Tries are counted for addresses, not for accounts, before the password is looked at. So an address without an account behaves
exactly like one with, and a hundred guesses at once are still no more than the limit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutPolicy:
    """`limit` tries within `window`, then none for `rest`."""

    limit: int
    window: timedelta
    rest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTries:
    """The tries at one address since `window_started_at` that no success has cleared."""

    count: int
    window_started_at: datetime
    locked_until: datetime | None = None

    @classmethod
    def none_yet(cls, now: datetime) -> Self:
        return cls(count=0, window_started_at=now)

    def add(self, *, policy: LockoutPolicy, now: datetime) -> tuple[Self, bool]:
        """Count one more try and tell whether the password may be looked at; a try while locked does not prolong the lock."""
        if self.locked_until is not None and now < self.locked_until:
            return self, False
        is_over = self.locked_until is not None or now - self.window_started_at >= policy.window
        count = 1 if is_over else self.count + 1
        started_at = now if is_over else self.window_started_at
        locked_until = now + policy.rest if count >= policy.limit else None
        return type(self)(count=count, window_started_at=started_at, locked_until=locked_until), True
