"""What people see and change about themselves."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from auth.domain.users import User
from auth.repository.users import UserRepository, read_signed_in
from auth.use_cases.callers import require_live_session
from bloom_events.ids import SessionId, UserId
from service_kit.revisions import check_revision
from service_kit.tokens import Caller
from service_kit.unit_of_work import UnitOfWork


async def get_own_user(uow: UnitOfWork, *, caller: Caller, now: datetime) -> User:
    return await read_signed_in(uow, UserId(caller.subject), SessionId(caller.session_id), now=now)


async def change_profile(
    uow: UnitOfWork, *, caller: Caller, changes: Mapping[str, str], seen_revision: int, now: datetime
) -> User:
    """Change the named fields of the caller's profile; raises PreconditionFailed when it has changed since it was seen."""
    async with uow.begin() as transaction:
        await require_live_session(transaction, caller, now=now)
        users = UserRepository(transaction.connection, transaction.tenant_id)
        user = await users.get_for_change(UserId(caller.subject))
        check_revision(current=user.revision, seen=seen_revision)
        changed, event = user.change_profile(replace(user.profile, **changes))
        if event is not None:
            await users.save(changed)
            await transaction.publish(event)
    return changed


async def get_contact(uow: UnitOfWork, user_id: UserId) -> User:
    """Whoever this account belongs to, for services that write to people; raises NotFound."""
    async with uow.begin() as transaction:
        return await UserRepository(transaction.connection, transaction.tenant_id).get(user_id)
