"""Who may call, with which limits, and with what tools; checked before a route runs."""

from typing import Annotated, cast

from fastapi import Cookie, Depends, Header, Request, Security

from auth.clients.access_tokens import AccessTokenIssuer
from auth.domain.outcomes import CrossSiteRequest, UnknownTenant
from auth.domain.tokens import InvitationToken, RefreshToken, is_csrf_token, keyed_mark
from auth.settings import Settings
from auth.use_cases.sign_in import SignInTools
from auth.use_cases.tenants import find_tenant
from bloom_events.auth import Role
from service_kit.idempotency import Once, fingerprint
from service_kit.rate_limits import Allowance, RateLimiter
from service_kit.request_scope import (
    ANONYMOUS_SUBJECT,
    CallerUnitOfWork,
    CurrentCaller,
    IdempotencyKey,
    Now,
    kit_of,
    pool_of,
    require_role,
    route_template,
    unit_of_work_for,
)
from service_kit.tokens import Caller
from service_kit.unit_of_work import UnitOfWork

__all__ = ["Administrator", "CallerUnitOfWork", "CurrentCaller", "IdempotencyKey", "Now"]

REFRESH_COOKIE = "bloom_refresh"
CSRF_COOKIE = "bloom_csrf"

Administrator = Annotated[Caller, Security(require_role(Role.ADMINISTRATOR))]


async def settings_of(request: Request) -> Settings:
    return cast("Settings", kit_of(request).settings)


async def tools_of(request: Request) -> SignInTools:
    return cast("SignInTools", kit_of(request).resources["sign_in"])


async def issuer_of(request: Request) -> AccessTokenIssuer:
    tools = await tools_of(request)
    return tools.issuer


CurrentSettings = Annotated[Settings, Depends(settings_of)]
Tools = Annotated[SignInTools, Depends(tools_of)]
Issuer = Annotated[AccessTokenIssuer, Depends(issuer_of)]


class Limits:
    """The rate limits of auth: by client address before anything is looked at, by account before a password is."""

    def __init__(self, request: Request, settings: Settings, tools: SignInTools) -> None:
        self._limiter = cast("RateLimiter", kit_of(request).rate_limits)
        self._client = client_address(request, proxies=settings.trusted_proxies)
        self._settings = settings
        self._key = tools.keys.mark

    async def check_registration(self) -> None:
        await self._limiter.check(self._settings.register_limit_per_client, self._client, name="register")

    async def check_refresh(self) -> None:
        await self._limiter.check(self._settings.refresh_limit_per_client, self._client, name="refresh")

    async def check_sign_in(self, *, tenant: str, email: str) -> None:
        """The client first, so that one who tries too much uses up nothing of anybody's account."""
        account = keyed_mark(key=self._key, text=f"{tenant} {email}").hex()
        await self._limiter.check_all(
            Allowance(self._settings.sign_in_limit_per_client, self._client, "sign-in-client"),
            Allowance(self._settings.sign_in_limit_per_account, account, "sign-in-account"),
        )

    async def check_password_change(self, caller: Caller) -> None:
        await self._limiter.check(self._settings.sign_in_limit_per_account, str(caller.subject), name="change-password")


async def limits_of(request: Request, settings: CurrentSettings, tools: Tools) -> Limits:
    return Limits(request, settings, tools)


CurrentLimits = Annotated[Limits, Depends(limits_of)]


def client_address(request: Request, *, proxies: int) -> str:
    """The address that the outermost of our own proxies saw: each of them adds one entry at the end of X-Forwarded-For."""
    entries = [entry.strip() for entry in request.headers.get("x-forwarded-for", "").split(",") if entry.strip()]
    if proxies and len(entries) >= proxies:
        return entries[-proxies]
    return request.client.host if request.client else "unknown"


class Organisations:
    """Finds the organisation that somebody without a token means."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self._request = request
        self._default = settings.default_tenant

    async def find(self, slug: str | None) -> UnitOfWork | None:
        """The unit of work of the organisation with this short name, or of the default one."""
        named = slug or self._default
        found = await find_tenant(pool_of(self._request), named) if named else None
        return unit_of_work_for(self._request, found) if found else None

    async def get(self, slug: str | None) -> UnitOfWork:
        found = await self.find(slug)
        if found is None:
            raise UnknownTenant
        return found

    def of_token(self, token: RefreshToken | InvitationToken) -> UnitOfWork:
        return unit_of_work_for(self._request, token.tenant_id)

    def mark_name(self, slug: str | None) -> str:
        return slug or self._default or ""


async def organisations_of(request: Request, settings: CurrentSettings) -> Organisations:
    return Organisations(request, settings)


CurrentOrganisations = Annotated[Organisations, Depends(organisations_of)]


async def require_own_origin(
    request: Request,
    settings: CurrentSettings,
    origin: Annotated[str | None, Header(include_in_schema=False)] = None,
    sec_fetch_site: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    """Refuse what a browser sends on behalf of another site's page; programs send neither header."""
    own = settings.own_origins | {f"{request.url.scheme}://{request.url.netloc}", f"https://{request.url.netloc}"}
    if origin is not None and origin not in own:
        raise CrossSiteRequest
    if sec_fetch_site == "cross-site" or (origin is None and sec_fetch_site == "same-site"):
        raise CrossSiteRequest


OwnOrigin = Depends(require_own_origin)


async def refresh_cookie(
    tools: Tools,
    bloom_refresh: Annotated[str | None, Cookie(description="The httpOnly cookie of the sign-in.")] = None,
    x_csrf_token: Annotated[str | None, Header(description="The `csrf_token` of the sign-in.")] = None,
) -> RefreshToken | None:
    """The presented refresh token, if the page that sends it also knows the session's CSRF token."""
    if bloom_refresh is None:
        return None
    presented = RefreshToken.parse(bloom_refresh)
    if x_csrf_token is None or not is_csrf_token(
        x_csrf_token, key=tools.keys.csrf, tenant_id=presented.tenant_id, session_id=presented.session_id
    ):
        raise CrossSiteRequest
    return presented


Presented = Annotated[RefreshToken | None, Depends(refresh_cookie)]


async def anonymous_once(request: Request, uow: UnitOfWork, *, key: str | None) -> Once:
    """The answer-once guard of somebody who has no account yet.

    The body holds a password, so what is kept to recognise the request is a keyed mark of it and not a plain hash.
    """
    tools = await tools_of(request)
    plain = fingerprint(request.method, request.url.path, request.url.query, await request.body()) if key else b""
    mark = keyed_mark(key=tools.keys.mark, text=plain.hex())
    route = f"{request.method} {route_template(request)}"
    return Once(uow, subject=ANONYMOUS_SUBJECT, route=route, key=key, request_hash=mark)
