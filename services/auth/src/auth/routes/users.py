"""Routes about users: one's own profile, and what administrators see and do."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Response

from auth.dependencies import Administrator, CallerUnitOfWork, CurrentCaller, Now
from auth.domain.directory import UserFilter
from auth.domain.outcomes import AlreadySuspended, NotPendingVerification, NotSuspended, OwnAccount
from auth.domain.users import User, UserStatus
from auth.schemas.requests import ProfileChanges
from auth.schemas.responses import CountsResponse, UserResponse
from auth.use_cases import administration, profile
from bloom_events.auth import Role
from bloom_events.event import UtcTime
from bloom_events.ids import UserId
from service_kit import errors
from service_kit.etags import IfMatch, etag
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from service_kit.problems import problem_responses

router = APIRouter(prefix="/api/users", tags=["users"])


@router.get("/me")
async def get_me(response: Response, caller: CurrentCaller, uow: CallerUnitOfWork, now: Now) -> UserResponse:
    """Who you are, with your profile and settings."""
    return _answer(response, await profile.get_own_user(uow, caller=caller, now=now))


@router.patch("/me", responses=problem_responses(errors.PreconditionFailed, errors.PreconditionRequired))
async def change_me(
    *, body: ProfileChanges, caller: CurrentCaller, seen: IfMatch, response: Response, uow: CallerUnitOfWork, now: Now
) -> UserResponse:
    """Change parts of your profile and settings; `If-Match` names the version that you saw."""
    changed = await profile.change_profile(uow, caller=caller, changes=body.named, seen_revision=seen, now=now)
    return _answer(response, changed)


@router.get("/counts", responses=problem_responses(errors.Forbidden))
async def count_users(caller: Administrator, uow: CallerUnitOfWork, now: Now) -> CountsResponse:
    """How many users and live sessions your organisation has."""
    return CountsResponse.of(await administration.count_users(uow, caller=caller, now=now))


@router.get("", responses=problem_responses(errors.Forbidden, errors.InvalidCursor))
async def list_users(
    *,
    caller: Administrator,
    uow: CallerUnitOfWork,
    now: Now,
    role: Role | None = None,
    status: UserStatus | None = None,
    created_from: Annotated[UtcTime | None, Query(alias="createdFrom", description="Registered at this moment or later.")] = None,
    created_before: Annotated[UtcTime | None, Query(alias="createdBefore", description="Registered before this moment.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[UserResponse]:
    """Users of your organisation, newest first."""
    which = UserFilter(role=role, status=status, created_from=created_from, created_before=created_before, after=_after(cursor))
    found = await administration.list_users(uow, caller=caller, which=which, limit=limit + 1, now=now)
    return page_of(found, limit=limit, present=UserResponse.of, key=lambda user: (user.created_at, user.id))


@router.get("/{user_id}", responses=problem_responses(errors.Forbidden, errors.NotFound))
async def get_user(user_id: UUID, response: Response, caller: Administrator, uow: CallerUnitOfWork, now: Now) -> UserResponse:
    """One user of your organisation."""
    return _answer(response, await administration.get_user(uow, UserId(user_id), caller=caller, now=now))


@router.post("/{user_id}/verify", responses=problem_responses(errors.Forbidden, errors.NotFound, NotPendingVerification))
async def verify_therapist(
    user_id: UUID, response: Response, caller: Administrator, uow: CallerUnitOfWork, now: Now
) -> UserResponse:
    """Say that a therapist's credentials are in order; from then on they can see patients."""
    return _answer(response, await administration.verify_therapist(uow, UserId(user_id), caller=caller, now=now))


@router.post("/{user_id}/suspend", responses=problem_responses(errors.Forbidden, errors.NotFound, AlreadySuspended, OwnAccount))
async def suspend_user(user_id: UUID, response: Response, caller: Administrator, uow: CallerUnitOfWork, now: Now) -> UserResponse:
    """Keep somebody from signing in and end all of their sessions."""
    return _answer(response, await administration.suspend_user(uow, UserId(user_id), caller=caller, now=now))


@router.post("/{user_id}/reinstate", responses=problem_responses(errors.Forbidden, errors.NotFound, NotSuspended))
async def reinstate_user(
    user_id: UUID, response: Response, caller: Administrator, uow: CallerUnitOfWork, now: Now
) -> UserResponse:
    """Let a suspended user sign in again."""
    return _answer(response, await administration.reinstate_user(uow, UserId(user_id), caller=caller, now=now))


def _answer(response: Response, user: User) -> UserResponse:
    response.headers["ETag"] = etag(user.revision)
    return UserResponse.of(user)


def _after(cursor: str | None) -> tuple[datetime, UUID] | None:
    return cast("tuple[datetime, UUID]", decode_cursor(cursor, datetime.fromisoformat, UUID)) if cursor else None
