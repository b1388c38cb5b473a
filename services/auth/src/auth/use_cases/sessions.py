"""Keeping a session alive, and ending one or all of them."""

from datetime import datetime

from auth.clients.passwords import PasswordHashing
from auth.domain.outcomes import InvalidCredentials, RefreshRefused
from auth.domain.passwords import choose_password
from auth.domain.sessions import RevocationReason, Session, revoke_all
from auth.domain.tokens import RefreshToken
from auth.repository.sessions import SessionRepository
from auth.repository.users import AccountRepository, UserRepository
from auth.use_cases.callers import require_live_session
from auth.use_cases.sign_in import SignedIn, SignInTools, hand_out
from bloom_events.ids import SessionId, UserId
from service_kit.tokens import Caller
from service_kit.unit_of_work import Transaction, UnitOfWork


async def refresh(uow: UnitOfWork, presented: RefreshToken, *, tools: SignInTools, now: datetime) -> SignedIn:
    """Give the session's next tokens; a token that was spent long ago ends the session for everybody who has a copy of it."""
    async with uow.begin() as transaction:
        sessions = SessionRepository(transaction.connection, transaction.tenant_id)
        found = await _genuine(sessions, presented, tools)
        session, revoked = found.refresh(presented=presented.generation, policy=tools.sessions, now=now)
        await sessions.save(session)
        if revoked is not None:
            await transaction.publish(revoked)
        user = await UserRepository(transaction.connection, transaction.tenant_id).get(session.user_id)
    if revoked is not None or not user.can_sign_in:
        raise RefreshRefused
    return hand_out(user, session, uow, tools=tools, now=now)


async def sign_out(uow: UnitOfWork, presented: RefreshToken, *, tools: SignInTools, now: datetime) -> None:
    """End the session of a genuine token of any generation; ended already is fine."""
    async with uow.begin() as transaction:
        sessions = SessionRepository(transaction.connection, transaction.tenant_id)
        session = await _genuine(sessions, presented, tools)
        if session.is_live(now):
            ended, revoked = session.revoke(RevocationReason.SIGNED_OUT, now=now)
            await sessions.save(ended)
            await transaction.publish(revoked)


async def sign_out_everywhere(uow: UnitOfWork, *, caller: Caller, now: datetime) -> int:
    """End every session of the caller, this one too; gives how many there were."""
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        return await end_sessions(transaction, UserId(caller.subject), RevocationReason.SIGNED_OUT_EVERYWHERE, now=now)


async def change_password(
    uow: UnitOfWork, *, caller: Caller, current: str, new: str, hashing: PasswordHashing, now: datetime
) -> None:
    """Change the password and end every session but the one that asks; raises InvalidCredentials for a wrong current one."""
    user_id = UserId(caller.subject)
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        user = await UserRepository(transaction.connection, transaction.tenant_id).get(user_id)
        stored = await AccountRepository(transaction.connection, transaction.tenant_id).find_password(user_id)
    chosen = choose_password(new, email=user.email)
    if stored is None or not (await hashing.verify(stored, current)).is_right:
        raise InvalidCredentials
    new_hash = await hashing.hash(chosen)
    async with uow.begin() as transaction:
        accounts = AccountRepository(transaction.connection, transaction.tenant_id)
        if await accounts.find_password(user_id, for_change=True) != stored:
            raise InvalidCredentials
        await accounts.save_password(user_id, new_hash, now=now)
        kept = SessionId(caller.session_id)
        await end_sessions(transaction, user_id, RevocationReason.PASSWORD_CHANGED, now=now, but=kept)


async def end_sessions(
    transaction: Transaction, user_id: UserId, reason: RevocationReason, *, now: datetime, but: SessionId | None = None
) -> int:
    """End a user's live sessions within a transaction; gives how many there were."""
    sessions = SessionRepository(transaction.connection, transaction.tenant_id)
    live = [one for one in await sessions.list_live_for_change(user_id, now=now) if one.id != but]
    ended, events = revoke_all(live, reason, now=now)
    await sessions.save(*ended)
    await transaction.publish(*events)
    return len(ended)


async def _genuine(sessions: SessionRepository, presented: RefreshToken, tools: SignInTools) -> Session:
    session = await sessions.get_for_change(presented.session_id)
    if not presented.is_genuine(key=tools.keys.refresh, seed=session.seed):
        raise RefreshRefused
    return session
