"""Accounts as far as calling needs them: who may be called, and who are a practice's administrators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bloom_events.auth import Role
from bloom_events.ids import UserId


@dataclass(frozen=True, slots=True)
class Person:
    """An account that auth has told of."""

    user_id: UserId
    role: Role
    is_verified: bool
    is_suspended: bool

    @property
    def can_be_called(self) -> bool:
        """Whether this person can open an alert at all."""
        return self.role is not Role.PATIENT and self.is_verified and not self.is_suspended


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts that a call is planned with: every administrator, and whoever else was asked for and is known."""

    known: tuple[Person, ...] = ()

    @property
    def administrators(self) -> tuple[UserId, ...]:
        """Administrators who can be called, the oldest account first."""
        return tuple(p.user_id for p in self.known if p.role is Role.ADMINISTRATOR and p.can_be_called)

    def callable_among(self, wanted: Iterable[UserId]) -> tuple[UserId, ...]:
        """Those of these people who can be called, each once, in this order.

        Somebody nobody has told of yet is called: the account exists, for its id came from a conversation or an
        administrator, and a call too many harms less than one too few.
        """
        barred = {person.user_id for person in self.known if not person.can_be_called}
        return tuple(user_id for user_id in dict.fromkeys(wanted) if user_id not in barred)

    def all_callable(self, wanted: Iterable[UserId]) -> bool:
        """Whether each of these people is known and can be called."""
        return set(wanted) <= {person.user_id for person in self.known if person.can_be_called}
