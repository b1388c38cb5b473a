"""Who may read analyses; made by `dependencies.py` alone, from a checked token."""

from __future__ import annotations

from dataclasses import dataclass

from bloom_events.ids import UserId


@dataclass(frozen=True, slots=True)
class MemberReader:
    """A therapist, who reads the analyses of the conversations that he takes part in now."""

    member_id: UserId
