"""Signing in: the same work and the same answer for an unknown address, a wrong password, a locked and a suspended account."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from auth.clients.access_tokens import AccessTokenIssuer
from auth.clients.passwords import PasswordHashing
from auth.domain.lockout import LockoutPolicy
from auth.domain.outcomes import InvalidCredentials
from auth.domain.passwords import PasswordHash, normalise_password
from auth.domain.sessions import Session, SessionPolicy
from auth.domain.tokens import RefreshToken, TokenKeys, csrf_token, keyed_mark
from auth.domain.users import EmailAddress, User
from auth.repository.sessions import SessionRepository
from auth.repository.sign_in_tries import SignInTriesRepository
from auth.repository.users import AccountRepository, UserRepository
from bloom_events.ids import SessionId, new_id
from service_kit.unit_of_work import Transaction, UnitOfWork

SEED_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What somebody signs in with."""

    email: EmailAddress
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTools:
    """What signing in needs besides the database."""

    hashing: PasswordHashing
    issuer: AccessTokenIssuer
    keys: TokenKeys
    sessions: SessionPolicy
    lockout: LockoutPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A live session with what its device needs; the three tokens are secrets."""

    user: User
    session: Session
    access_token: str
    refresh_token: str
    csrf_token: str


async def sign_in(uow: UnitOfWork, credentials: Credentials, *, tools: SignInTools, now: datetime) -> SignedIn:
    """Count the try, look at one hash outside of any transaction, then start a session; raises InvalidCredentials."""
    mark = keyed_mark(key=tools.keys.mark, text=credentials.email)
    # The place comes first: who has to be turned away costs no statement and is no try.
    async with tools.hashing.place() as place:
        user, stored, may_look = await _begin_try(uow, credentials.email, mark=mark, policy=tools.lockout, now=now)
        verdict = await place.verify(stored, credentials.password)
        if user is None or stored is None or not (may_look and verdict.is_right and user.can_sign_in):
            raise InvalidCredentials
        upgraded = await place.hash(normalise_password(credentials.password)) if verdict.needs_upgrade else None
    async with uow.begin() as transaction:
        user = await _still_right(transaction, user, stored)
        if upgraded is not None:
            await AccountRepository(transaction.connection, transaction.tenant_id).save_password(user.id, upgraded, now=now)
        await SignInTriesRepository(transaction.connection, transaction.tenant_id).clear(mark)
        session = await _start_session(transaction, user, policy=tools.sessions, now=now)
    return hand_out(user, session, uow, tools=tools, now=now)


async def waste_the_same_work(credentials: Credentials, *, tools: SignInTools) -> None:
    """Do what a sign-in at an unknown organisation has to do before it fails."""
    await tools.hashing.verify(None, credentials.password)
    raise InvalidCredentials


def hand_out(user: User, session: Session, uow: UnitOfWork, *, tools: SignInTools, now: datetime) -> SignedIn:
    """Make the tokens of a session's newest generation; the same generation always gives the same refresh token."""
    tenant_id, keys = uow.context.tenant_id, tools.keys
    refresh = RefreshToken.issue(
        key=keys.refresh, seed=session.seed, tenant_id=tenant_id, session_id=session.id, generation=session.generation
    )
    return SignedIn(
        user=user,
        session=session,
        access_token=tools.issuer.issue(user_id=user.id, role=user.role, tenant_id=tenant_id, session_id=session.id, now=now),
        refresh_token=refresh.encode(),
        csrf_token=csrf_token(key=keys.csrf, tenant_id=tenant_id, session_id=session.id),
    )


async def _begin_try(
    uow: UnitOfWork, email: EmailAddress, *, mark: bytes, policy: LockoutPolicy, now: datetime
) -> tuple[User | None, PasswordHash | None, bool]:
    async with uow.begin() as transaction:
        tries = SignInTriesRepository(transaction.connection, transaction.tenant_id)
        counted, may_look = (await tries.get_for_change(mark, now=now)).add(policy=policy, now=now)
        await tries.save(mark, counted)
        await tries.sweep(older_than=now - policy.window - policy.rest)
        user = await UserRepository(transaction.connection, transaction.tenant_id).find_by_email(email)
        accounts = AccountRepository(transaction.connection, transaction.tenant_id)
        stored = await accounts.find_password(user.id) if user else None
    return user, stored, may_look


async def _still_right(transaction: Transaction, user: User, stored: PasswordHash) -> User:
    """Look again under lock: the account may have been suspended, or its password changed, while the hash was looked at."""
    current = await UserRepository(transaction.connection, transaction.tenant_id).get_for_change(user.id)
    accounts = AccountRepository(transaction.connection, transaction.tenant_id)
    if not current.can_sign_in or await accounts.find_password(user.id, for_change=True) != stored:
        raise InvalidCredentials
    return current


async def _start_session(transaction: Transaction, user: User, *, policy: SessionPolicy, now: datetime) -> Session:
    session, started = Session.start(
        session_id=SessionId(new_id()),
        user_id=user.id,
        role=user.role,
        seed=secrets.token_bytes(SEED_BYTES),
        policy=policy,
        now=now,
    )
    await SessionRepository(transaction.connection, transaction.tenant_id).add(session)
    await transaction.publish(started)
    return session
