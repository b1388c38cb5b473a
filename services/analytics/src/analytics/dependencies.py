"""What a route may ask for: who may read which numbers, the unit of work, the time, the cache, the feed of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Security

from analytics.clients.stats_cache import StatsCache
from analytics.domain.metric import PLATFORM
from analytics.domain.readers import Reader
from analytics.settings import Settings
from analytics.use_cases.feed import Feed
from bloom_events.auth import Role
from bloom_events.ids import TenantId
from service_kit.errors import Forbidden, Unauthorized
from service_kit.request_scope import ByToken, CallerUnitOfWork, Kit, Now, kit_of, require_role, unit_of_work_for
from service_kit.tokens import Caller
from service_kit.unit_of_work import UnitOfWork

__all__ = ["Administrator", "Cache", "Changes", "Now", "Sight", "Sighted", "Staff", "TokenEnd", "Uow"]

STATS_CACHE, FEED = "stats_cache", "feed"
"""Where the app keeps the cache of statistics and the feed of changed windows."""

Uow = CallerUnitOfWork
Administrator = Annotated[Caller, Depends(require_role(Role.ADMINISTRATOR))]
Staff = Annotated[Caller, Depends(require_role(Role.THERAPIST, Role.ADMINISTRATOR))]
"""Therapists and administrators: there is nothing about groups of people that patients would have to do with."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose numbers are looked at, and by whom."""

    reader: Reader
    subject: UUID
    tenant_id: TenantId
    zone: ZoneInfo
    uow: UnitOfWork


def _sight(request: Request, caller: Caller) -> Sight:
    if caller.role not in {Role.THERAPIST, Role.ADMINISTRATOR}:
        raise Forbidden
    settings = settings_of(kit_of(request))
    is_administrator = caller.role == Role.ADMINISTRATOR
    tenant_id = caller.tenant_id
    # The parameter is declared, and checked, with the others of its route.
    if request.query_params.get("scope") == "platform":
        if not is_administrator or settings.operator_tenant is None or tenant_id != settings.operator_tenant:
            raise Forbidden
        tenant_id = PLATFORM
    reader = Reader(None if is_administrator else caller.subject)
    return Sight(reader, caller.subject, tenant_id, settings.zone_of(tenant_id), unit_of_work_for(request, tenant_id))


def settings_of(kit: Kit) -> Settings:
    """The settings of this app, as what they are."""
    settings = kit.settings
    if not isinstance(settings, Settings):
        raise TypeError("the app of analytics runs on its own settings")
    return settings


async def _stats_cache(request: Request) -> StatsCache:
    cache: StatsCache = kit_of(request).resources[STATS_CACHE]
    return cache


async def _feed(request: Request) -> Feed:
    feed: Feed = kit_of(request).resources[FEED]
    return feed


async def _token_end(request: Request) -> float:
    tokens = kit_of(request).tokens
    if tokens is None:
        raise Unauthorized
    return (await tokens.accept(request.headers.get("Authorization", "").partition(" ")[2].strip()))[1]


Sighted = Annotated[Sight, Security(ByToken(_sight))]
"""All of the organisation for administrators, of all organisations for the operator's; their own series for therapists."""

Cache = Annotated[StatsCache, Depends(_stats_cache)]
Changes = Annotated[Feed, Depends(_feed)]
TokenEnd = Annotated[float, Depends(_token_end)]
"""When the caller's token is over, in seconds of the epoch: what outlives a request ends then."""
