"""Becoming a user: patients and therapists by themselves, invited therapists by a token, administrators by command."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.clients.passwords import PasswordHashing
from auth.domain.invitations import Invitation
from auth.domain.passwords import PasswordHash, choose_password
from auth.domain.tokens import InvitationToken
from auth.domain.users import EmailAddress, Profile, User
from auth.repository.invitations import InvitationRepository
from auth.repository.users import AccountRepository, UserRepository
from auth.use_cases.callers import require_live_session
from bloom_events.auth import Role
from bloom_events.event import Event
from bloom_events.ids import InvitationId, UserId, new_id
from service_kit.tokens import Caller
from service_kit.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What somebody registers with; the password is hashed already, outside of any transaction."""

    email: EmailAddress
    profile: Profile
    password_hash: PasswordHash


async def hash_new_password(hashing: PasswordHashing, text: str, *, email: EmailAddress) -> PasswordHash:
    """Check a new password against the policy and hash it; raises WeakPassword, or ServiceUnavailable under a flood."""
    return await hashing.hash(choose_password(text, email=email))


async def register(uow: UnitOfWork, newcomer: Newcomer, *, role: Role, now: datetime) -> User:
    """A patient is active at once, a therapist waits for verification."""
    user, registered = User.register(user_id=UserId(new_id()), email=newcomer.email, role=role, profile=newcomer.profile, now=now)
    async with uow.begin() as transaction:
        await _add(transaction, user, newcomer.password_hash, registered)
    return user


async def register_by_invitation(uow: UnitOfWork, newcomer: Newcomer, *, token: InvitationToken, now: datetime) -> User:
    """An invited therapist is verified and active at once; the invitation is used up."""
    user, events = User.register_invited_therapist(
        user_id=UserId(new_id()), email=newcomer.email, profile=newcomer.profile, now=now
    )
    async with uow.begin() as transaction:
        invitations = InvitationRepository(transaction.connection, transaction.tenant_id)
        invitation = await invitations.get_for_change(token.invitation_id)
        accepted = invitation.accept(email=newcomer.email, user_id=user.id, now=now)
        await _add(transaction, user, newcomer.password_hash, *events)
        await invitations.save(accepted)
    return user


async def invite_therapist(
    uow: UnitOfWork, *, caller: Caller, email: EmailAddress, lifetime: timedelta, now: datetime
) -> Invitation:
    invitation = Invitation.invite(
        invitation_id=InvitationId(new_id()), email=email, invited_by=UserId(caller.subject), lifetime=lifetime, now=now
    )
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        await InvitationRepository(transaction.connection, transaction.tenant_id).add(invitation)
    return invitation


async def _add(transaction: Transaction, user: User, password_hash: PasswordHash, *events: Event) -> None:
    await UserRepository(transaction.connection, transaction.tenant_id).add(user)
    accounts = AccountRepository(transaction.connection, transaction.tenant_id)
    await accounts.add_password(account_id=new_id(), user_id=user.id, password_hash=password_hash, now=user.created_at)
    await transaction.publish(*events)
