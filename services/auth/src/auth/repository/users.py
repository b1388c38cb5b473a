"""Users and the accounts through which they sign in."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from auth.domain.directory import UserCounts, UserFilter
from auth.domain.outcomes import EmailAlreadyRegistered
from auth.domain.passwords import PasswordHash
from auth.domain.users import EmailAddress, Profile, User, UserStatus
from bloom_events.auth import Role
from bloom_events.ids import SessionId, TenantId, UserId
from service_kit.database import Connection
from service_kit.errors import NotFound, Unauthorized
from service_kit.unit_of_work import UnitOfWork

_USER = "select id, email, role, status, display_name, locale, time_zone, verified_at, created_at, revision from users"
_BY_ID = _USER + " where id = $1"
_BY_ID_FOR_CHANGE = _USER + " where id = $1 for update"
_BY_EMAIL = _USER + " where email = $1"
_SIGNED_IN = """select u.* from users u join sessions s on s.user_id = u.id
where u.id = $1 and s.id = $2 and s.revoked_at is null and s.expires_at > $3"""
_NEWEST = (
    _USER
    + """ where ($1::text is null or role = $1) and ($2::text is null or status = $2)
            and ($3::timestamptz is null or created_at >= $3) and ($4::timestamptz is null or created_at < $4)
            and ($5::timestamptz is null or (created_at, id) < ($5, $6::uuid))
          order by created_at desc, id desc limit $7"""
)
_PASSWORD = "select password_hash from accounts where user_id = $1 and provider = 'password'"  # noqa: S105  # a statement
_PASSWORD_FOR_CHANGE = _PASSWORD + " for update"


async def read_signed_in(uow: UnitOfWork, user_id: UserId, session_id: SessionId, *, now: datetime) -> User:
    """Whoever has this live session, in one round trip; raises Unauthorized once it has ended."""
    row = await uow.fetch_one(_SIGNED_IN, user_id, session_id, now)
    if row is None:
        raise Unauthorized
    return _user(row)


class UserRepository:
    """Users of the transaction's tenant."""

    def __init__(self, connection: Connection, tenant_id: TenantId) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def add(self, user: User) -> None:
        profile = user.profile
        try:
            await self._connection.execute(
                """insert into users (tenant_id, id, email, role, status, display_name, locale, time_zone, verified_at,
                                      created_at, revision)
                   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
                self._tenant_id, user.id, user.email, user.role.value, user.status.value, profile.display_name, profile.locale,
                profile.time_zone, user.verified_at, user.created_at, user.revision,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            # The driver's error text holds the address: it must not travel on as a cause.
            raise EmailAlreadyRegistered from None

    async def save(self, user: User) -> None:
        await self._connection.execute(
            """update users set status = $2, display_name = $3, locale = $4, time_zone = $5, verified_at = $6, revision = $7
               where id = $1""",
            user.id, user.status.value, user.profile.display_name, user.profile.locale, user.profile.time_zone,
            user.verified_at, user.revision,
        )  # fmt: skip

    async def get(self, user_id: UserId) -> User:
        return self._found(await self._connection.fetchrow(_BY_ID, user_id))

    async def get_for_change(self, user_id: UserId) -> User:
        return self._found(await self._connection.fetchrow(_BY_ID_FOR_CHANGE, user_id))

    async def find_by_email(self, email: EmailAddress) -> User | None:
        row = await self._connection.fetchrow(_BY_EMAIL, email)
        return _user(row) if row else None

    async def list_newest(self, which: UserFilter, *, limit: int) -> list[User]:
        after_at, after_id = which.after or (None, None)
        rows = await self._connection.fetch(
            _NEWEST,
            which.role and which.role.value, which.status and which.status.value, which.created_from, which.created_before,
            after_at, after_id, limit,
        )  # fmt: skip
        return [_user(row) for row in rows]

    async def count(self, *, created_since: datetime) -> UserCounts:
        rows = await self._connection.fetch(
            "select role, count(*) as n, count(*) filter (where created_at >= $1) as fresh from users group by role",
            created_since,
        )
        by_role = dict.fromkeys(Role, 0) | {Role(row["role"]): row["n"] for row in rows}
        return UserCounts(total=sum(by_role.values()), by_role=by_role, created_since=sum(row["fresh"] for row in rows))

    @staticmethod
    def _found(row: Any) -> User:
        if row is None:
            raise NotFound
        return _user(row)


class AccountRepository:
    """Passwords of the transaction's tenant; other providers' rows come with their sign-in."""

    def __init__(self, connection: Connection, tenant_id: TenantId) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def add_password(self, *, account_id: UUID, user_id: UserId, password_hash: PasswordHash, now: datetime) -> None:
        await self._connection.execute(
            """insert into accounts (tenant_id, id, user_id, provider, password_hash, created_at, updated_at)
               values ($1, $2, $3, 'password', $4, $5, $5)""",
            self._tenant_id, account_id, user_id, password_hash, now,
        )  # fmt: skip

    async def find_password(self, user_id: UserId, *, for_change: bool = False) -> PasswordHash | None:
        """The stored hash; `for_change` keeps others from changing it until the transaction ends."""
        found = await self._connection.fetchval(_PASSWORD_FOR_CHANGE if for_change else _PASSWORD, user_id)
        return PasswordHash(found) if found else None

    async def save_password(self, user_id: UserId, password_hash: PasswordHash, *, now: datetime) -> None:
        await self._connection.execute(
            "update accounts set password_hash = $2, updated_at = $3 where user_id = $1 and provider = 'password'",
            user_id, password_hash, now,
        )  # fmt: skip


def _user(row: Any) -> User:
    return User(
        id=UserId(row["id"]),
        email=EmailAddress(row["email"]),
        role=Role(row["role"]),
        status=UserStatus(row["status"]),
        profile=Profile(display_name=row["display_name"], locale=row["locale"], time_zone=row["time_zone"]),
        created_at=row["created_at"],
        verified_at=row["verified_at"],
        revision=row["revision"],
    )
