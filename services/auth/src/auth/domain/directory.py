"""What administrators ask of all users of a tenant: which, and how many."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth.domain.users import UserStatus
from bloom_events.auth import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which users a list shows; None leaves a rule out. `after` is where the page before ended: newest first, then by id."""

    role: Role | None = None
    status: UserStatus | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    after: tuple[datetime, UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCounts:
    """How many users there are, in all, per role, and made since a moment."""

    total: int
    by_role: dict[Role, int]
    created_since: int
