"""What a request gets from the kit, as FastAPI dependencies: the caller, his unit of work, the answer-once guard and the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer

from bloom_events.ids import TenantId, new_id
from service_kit.database import Pool
from service_kit.errors import Forbidden, ServiceUnavailable, Unauthorized
from service_kit.health import Health
from service_kit.idempotency import Once, fingerprint
from service_kit.rate_limits import RateLimiter
from service_kit.route_names import route_name
from service_kit.service_tokens import ServiceTokenVerifier
from service_kit.settings import ServiceSettings
from service_kit.tokens import Caller, TokenVerifier
from service_kit.unit_of_work import Clock, Context, UnitOfWork, utc_now

ANONYMOUS_SUBJECT = UUID(int=0)
"""Stands for the caller of a route that needs no token, wherever a subject is asked for."""


@dataclass(slots=True)
class Kit:
    """What the plumbing holds for a running app, under `app.state.kit`; what a test sets before the start is left as it is."""

    settings: ServiceSettings
    health: Health
    database: Pool | None = None
    tokens: TokenVerifier | None = None
    rate_limits: RateLimiter | None = None
    services: ServiceTokenVerifier | None = None
    clock: Clock = utc_now
    resources: dict[str, Any] = field(default_factory=dict)


def kit_of(request: Request) -> Kit:
    """The kit of the app that answers this request."""
    kit: Kit = request.app.state.kit
    return kit


def pool_of(request: Request) -> Pool:
    """The app's connection pool; raises ServiceUnavailable before the app has started."""
    pool = kit_of(request).database
    if pool is None:
        raise ServiceUnavailable
    return pool


async def caller_of(request: Request) -> Caller:
    """The caller whom the access token names; raises Unauthorized without a valid one.

    May be asked several times per request: a token that was accepted once is found again within two microseconds.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    tokens = kit_of(request).tokens
    if scheme.lower() != "bearer" or tokens is None:
        raise Unauthorized
    return await tokens.verify(token.strip())


class ByToken(HTTPBearer):
    """A dependency that needs a caller, and says so in the OpenAPI document: `Annotated[T, Security(ByToken(give))]`.

    What `give` asks for beside the caller it takes from the request, because each dependency that FastAPI solves for another
    one costs 20 us per request.
    """

    def __init__(self, give: Callable[[Request, Caller], Any]) -> None:
        super().__init__(bearerFormat="JWT", scheme_name="HTTPBearer", description="An access token of the auth service.")
        self._give = give

    async def __call__(self, request: Request) -> Any:  # type: ignore[override]  # services have no websockets
        return self._give(request, await caller_of(request))


current_caller = ByToken(lambda _request, caller: caller)

CurrentCaller = Annotated[Caller, Security(current_caller)]


def require_role(*roles: str) -> ByToken:
    """A dependency that gives the caller if he has one of `roles`, and raises Forbidden otherwise."""
    allowed = frozenset(str(role) for role in roles)

    def caller_with_role(_request: Request, caller: Caller) -> Caller:
        if caller.role not in allowed:
            raise Forbidden
        return caller

    return ByToken(caller_with_role)


async def now(request: Request) -> datetime:
    """The moment of this request, aware and in UTC."""
    return kit_of(request).clock()


Now = Annotated[datetime, Depends(now)]


def unit_of_work_for(request: Request, tenant_id: TenantId) -> UnitOfWork:
    """A unit of work for a tenant that is known otherwise than by a token."""
    kit = kit_of(request)
    context = Context(tenant_id=tenant_id, correlation_id=correlation_id_of(request))
    return UnitOfWork(
        pool_of(request),
        source=kit.settings.source,
        context=context,
        clock=kit.clock,
        publishes=not kit.settings.unsafe_outbox_off,
        acquire_seconds=kit.settings.database_acquire_seconds,
    )


def calling_service(*allowed: str) -> Any:
    """A dependency for routes that only these services may call: gives a unit of work of the tenant that the call is about."""

    async def unit_of_work(request: Request, x_tenant_id: Annotated[UUID, Header()]) -> UnitOfWork:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        services = kit_of(request).services
        if scheme.lower() != "bearer" or services is None or services.verify(token.strip()) not in allowed:
            raise Unauthorized
        return unit_of_work_for(request, TenantId(x_tenant_id))

    return Depends(unit_of_work)


caller_unit_of_work = ByToken(lambda request, caller: unit_of_work_for(request, caller.tenant_id))

CallerUnitOfWork = Annotated[UnitOfWork, Security(caller_unit_of_work)]
"""The unit of work of the caller's tenant."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Makes the request safe to repeat: the same key and request get the same answer for 24 hours.",
    ),
]


async def once_for(request: Request, uow: UnitOfWork, *, subject: UUID, key: str | None) -> Once:
    """An answer-once guard for a caller that is known otherwise than by a token."""
    route = f"{request.method} {route_template(request)}"
    request_hash = fingerprint(request.method, request.url.path, request.url.query, await request.body()) if key else b""
    return Once(uow, subject=subject, route=route, key=key, request_hash=request_hash)


async def caller_once(request: Request, caller: CurrentCaller, idempotency_key: IdempotencyKey = None) -> Once:
    """The answer-once guard of the caller."""
    uow = unit_of_work_for(request, caller.tenant_id)
    return await once_for(request, uow, subject=caller.subject, key=idempotency_key)


CallerOnce = Annotated[Once, Depends(caller_once)]


def correlation_id_of(request: Request) -> UUID:
    """The id that joins everything this request causes: its request id when that is a UUID, else a new one."""
    found = request.scope.setdefault("state", {}).get("correlation_id")
    return found if isinstance(found, UUID) else new_id()


def route_template(request: Request) -> str:
    """The path of the matched route as it was declared, such as `/api/notes/{note_id}`."""
    return route_name(request.scope)
