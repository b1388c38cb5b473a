"""The numbers that an administrator looks at first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Stats:
    """People by role, sessions that run, and accounts of the last seven days, counted at one moment."""

    total_users: int
    therapists: int
    patients: int
    active_sessions: int
    new_this_week: int
    as_of: datetime
