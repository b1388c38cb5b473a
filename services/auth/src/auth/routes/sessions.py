"""Routes by which people come and go: sign in, refresh, sign out, change the password."""

from datetime import datetime

from fastapi import APIRouter, Response

from auth.dependencies import (
    CSRF_COOKIE,
    REFRESH_COOKIE,
    CallerUnitOfWork,
    CurrentCaller,
    CurrentLimits,
    CurrentOrganisations,
    CurrentSettings,
    Now,
    OwnOrigin,
    Presented,
    Tools,
)
from auth.domain.outcomes import CrossSiteRequest, InvalidCredentials, RefreshRefused, WeakPassword
from auth.domain.users import EmailAddress
from auth.schemas.requests import ChangePasswordRequest, SignInRequest
from auth.schemas.responses import SessionsEndedResponse, SignedInResponse
from auth.settings import Settings
from auth.use_cases import sessions
from auth.use_cases.sign_in import Credentials, SignedIn, sign_in, waste_the_same_work
from service_kit import errors
from service_kit.problems import problem_responses

router = APIRouter(prefix="/api/auth", tags=["sessions"])


@router.post(
    "/sign-in",
    dependencies=[OwnOrigin],
    responses=problem_responses(InvalidCredentials, CrossSiteRequest, errors.TooManyRequests),
)
async def sign_in_with_password(
    *,
    body: SignInRequest,
    response: Response,
    limits: CurrentLimits,
    organisations: CurrentOrganisations,
    settings: CurrentSettings,
    tools: Tools,
    now: Now,
) -> SignedInResponse:
    """Start a session. The refresh token goes into an httpOnly cookie; the answer is the same whatever was wrong."""
    await limits.check_sign_in(tenant=organisations.mark_name(body.tenant), email=body.email)
    credentials = Credentials(email=EmailAddress(body.email), password=body.password.get_secret_value())
    uow = await organisations.find(body.tenant)
    if uow is None:
        await waste_the_same_work(credentials, tools=tools)
        raise InvalidCredentials
    return _answer(response, await sign_in(uow, credentials, tools=tools, now=now), settings, now)


@router.post(
    "/refresh",
    dependencies=[OwnOrigin],
    responses=problem_responses(RefreshRefused, CrossSiteRequest, errors.TooManyRequests),
)
async def refresh_session(
    *,
    response: Response,
    presented: Presented,
    limits: CurrentLimits,
    organisations: CurrentOrganisations,
    settings: CurrentSettings,
    tools: Tools,
    now: Now,
) -> SignedInResponse:
    """Get the next access and refresh token. A refresh token is good once; using an old one again ends the session."""
    await limits.check_refresh()
    if presented is None:
        raise RefreshRefused
    refreshed = await sessions.refresh(organisations.of_token(presented), presented, tools=tools, now=now)
    return _answer(response, refreshed, settings, now)


@router.post(
    "/sign-out",
    status_code=204,
    dependencies=[OwnOrigin],
    responses=problem_responses(RefreshRefused, CrossSiteRequest),
)
async def sign_out(
    *,
    response: Response,
    presented: Presented,
    organisations: CurrentOrganisations,
    settings: CurrentSettings,
    tools: Tools,
    now: Now,
) -> None:
    """End this device's session; without the cookie there is nothing to end."""
    if presented is not None:
        await sessions.sign_out(organisations.of_token(presented), presented, tools=tools, now=now)
    _forget(response, settings)


@router.post("/sign-out-everywhere", responses=problem_responses(errors.Unauthorized))
async def sign_out_everywhere(
    response: Response, caller: CurrentCaller, uow: CallerUnitOfWork, settings: CurrentSettings, now: Now
) -> SessionsEndedResponse:
    """End all of your sessions, this one too."""
    ended = await sessions.sign_out_everywhere(uow, caller=caller, now=now)
    _forget(response, settings)
    return SessionsEndedResponse(ended=ended)


@router.post(
    "/change-password",
    status_code=204,
    responses=problem_responses(InvalidCredentials, errors.Unauthorized, WeakPassword, errors.TooManyRequests),
)
async def change_password(
    *, body: ChangePasswordRequest, caller: CurrentCaller, uow: CallerUnitOfWork, limits: CurrentLimits, tools: Tools, now: Now
) -> None:
    """Change your password; every other session of yours ends."""
    await limits.check_password_change(caller)
    await sessions.change_password(
        uow,
        caller=caller,
        current=body.current_password.get_secret_value(),
        new=body.new_password.get_secret_value(),
        hashing=tools.hashing,
        now=now,
    )


def _answer(response: Response, signed_in: SignedIn, settings: Settings, now: datetime) -> SignedInResponse:
    lasts = int((signed_in.session.expires_at - now).total_seconds())
    _set_cookie(response, REFRESH_COOKIE, signed_in.refresh_token, lasts, settings)
    _set_cookie(response, CSRF_COOKIE, signed_in.csrf_token, lasts, settings)
    return SignedInResponse.of(signed_in, expires_in=settings.access_token_minutes * 60)


def _forget(response: Response, settings: Settings) -> None:
    for name in (REFRESH_COOKIE, CSRF_COOKIE):
        _set_cookie(response, name, "", 0, settings)


def _set_cookie(response: Response, name: str, value: str, lasts_seconds: int, settings: Settings) -> None:
    """The refresh cookie goes to these routes only and is hidden from pages, which must read the CSRF one."""
    is_refresh = name == REFRESH_COOKIE
    response.set_cookie(
        name,
        value,
        max_age=lasts_seconds,
        path="/api/auth" if is_refresh else "/",
        secure=settings.cookies_secure,
        httponly=is_refresh,
        samesite="strict",
    )
