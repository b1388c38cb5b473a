"""Which alerts somebody may see and answer; made by `dependencies.py` alone, from a checked token."""

from __future__ import annotations

from dataclasses import dataclass

from bloom_events.ids import UserId


@dataclass(frozen=True, slots=True)
class VisibleAlerts:
    """The alerts about which somebody was called, or, for an administrator, all of the tenant."""

    caller: UserId
    sees_all: bool

    @property
    def called(self) -> UserId | None:
        """Who must have been called; None where that makes no difference."""
        return None if self.sees_all else self.caller
