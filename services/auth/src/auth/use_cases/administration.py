"""What administrators see and do: users of their tenant, verification, suspension."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.domain.directory import UserCounts, UserFilter
from auth.domain.sessions import RevocationReason
from auth.domain.users import User
from auth.repository.sessions import SessionRepository
from auth.repository.users import UserRepository
from auth.use_cases.callers import require_live_session
from auth.use_cases.sessions import end_sessions
from bloom_events.ids import UserId
from service_kit.tokens import Caller
from service_kit.unit_of_work import UnitOfWork

FRESH = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Users of the tenant, and the sessions that are alive now."""

    users: UserCounts
    active_sessions: int


async def list_users(uow: UnitOfWork, *, caller: Caller, which: UserFilter, limit: int, now: datetime) -> Sequence[User]:
    """Newest first, up to `limit` of them."""
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        return await UserRepository(transaction.connection, transaction.tenant_id).list_newest(which, limit=limit)


async def get_user(uow: UnitOfWork, user_id: UserId, *, caller: Caller, now: datetime) -> User:
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        return await UserRepository(transaction.connection, transaction.tenant_id).get(user_id)


async def count_users(uow: UnitOfWork, *, caller: Caller, now: datetime) -> Counts:
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        users = await UserRepository(transaction.connection, transaction.tenant_id).count(created_since=now - FRESH)
        active = await SessionRepository(transaction.connection, transaction.tenant_id).count_live(now=now)
    return Counts(users=users, active_sessions=active)


async def verify_therapist(uow: UnitOfWork, user_id: UserId, *, caller: Caller, now: datetime) -> User:
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        users = UserRepository(transaction.connection, transaction.tenant_id)
        user, verified = (await users.get_for_change(user_id)).verify(now=now)
        await users.save(user)
        await transaction.publish(verified)
    return user


async def suspend_user(uow: UnitOfWork, user_id: UserId, *, caller: Caller, now: datetime) -> User:
    """Suspend somebody and end their sessions in the same transaction."""
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        users = UserRepository(transaction.connection, transaction.tenant_id)
        user, suspended = (await users.get_for_change(user_id)).suspend(by=UserId(caller.subject))
        await users.save(user)
        await transaction.publish(suspended)
        await end_sessions(transaction, user_id, RevocationReason.SUSPENDED, now=now)
    return user


async def reinstate_user(uow: UnitOfWork, user_id: UserId, *, caller: Caller, now: datetime) -> User:
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        users = UserRepository(transaction.connection, transaction.tenant_id)
        user, reinstated = (await users.get_for_change(user_id)).reinstate()
        await users.save(user)
        await transaction.publish(reinstated)
    return user
