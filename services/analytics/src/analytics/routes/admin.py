"""Routes of administrators."""

from __future__ import annotations

from fastapi import APIRouter

from analytics.dependencies import Administrator, Cache, Now, Uow
from analytics.schemas.stats import StatsResponse
from analytics.use_cases.stats import read_stats
from service_kit.errors import Forbidden
from service_kit.problems import problem_responses

admin = APIRouter(prefix="/api/admin", tags=["admin"])


@admin.get("/stats", responses=problem_responses(Forbidden))
async def get_stats(_caller: Administrator, uow: Uow, cache: Cache, now: Now) -> StatsResponse:
    """How many people the organisation has by role, which sessions run, and who is new; at most five minutes old."""
    return StatsResponse.of(await read_stats(uow, cache, now=now), now=now)
