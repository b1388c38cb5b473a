"""The body of the numbers of administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from analytics.domain.stats import Stats
from analytics.schemas.fields import Response

_STATS: JsonDict = {
    "totalUsers": 120, "therapists": 11, "patients": 107, "activeSessions": 34, "newThisWeek": 6,
    "asOf": "2026-03-02T09:00:00Z", "freshnessSeconds": 41,
}  # fmt: skip


class StatsResponse(Response):
    """People, sessions and new accounts of the organisation."""

    model_config = ConfigDict(json_schema_extra={"examples": [_STATS]})

    total_users: int
    therapists: int
    patients: int
    active_sessions: int = Field(description="Sessions that have neither expired nor been ended.")
    new_this_week: int = Field(description="Accounts of the last seven days.")
    as_of: datetime = Field(description="When this was counted.")
    freshness_seconds: int = Field(description="How long ago that was; numbers are kept for five minutes.")

    @classmethod
    def of(cls, stats: Stats, *, now: datetime) -> Self:
        return cls(
            total_users=stats.total_users,
            therapists=stats.therapists,
            patients=stats.patients,
            active_sessions=stats.active_sessions,
            new_this_week=stats.new_this_week,
            as_of=stats.as_of,
            freshness_seconds=max(0, int((now - stats.as_of).total_seconds())),
        )
