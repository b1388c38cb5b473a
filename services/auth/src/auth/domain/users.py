"""People who can sign in: how they come to be, what they may change, and who may stop them."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NewType, Self
from zoneinfo import available_timezones

from auth.domain.outcomes import AlreadySuspended, NotPendingVerification, NotSuspended, OwnAccount
from bloom_events.auth import Role, TherapistVerified, UserProfileChanged, UserRegistered, UserReinstated, UserSuspended
from bloom_events.ids import UserId

EmailAddress = NewType("EmailAddress", str)

LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")


def normalise_email(address: str) -> EmailAddress:
    """Give the one form under which an address is stored and compared: upper and lower case are the same person."""
    return EmailAddress(address.strip().lower())


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """Every zone of the IANA database; the three left out are names of a machine's own setting."""
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def is_time_zone(name: str) -> bool:
    return name in time_zones()


def is_locale(tag: str) -> bool:
    return LOCALE.fullmatch(tag) is not None


class UserStatus(StrEnum):
    """Where somebody stands: only therapists ever wait for verification."""

    ACTIVE = "active"
    PENDING_VERIFICATION = "pending_verification"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a person says about themselves; all of it optional until they have said it."""

    display_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None

    @property
    def is_complete(self) -> bool:
        return None not in {self.display_name, self.locale, self.time_zone}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person of one tenant; `revision` grows by one with every change."""

    id: UserId
    email: EmailAddress
    role: Role
    status: UserStatus
    profile: Profile
    created_at: datetime
    verified_at: datetime | None = None
    revision: int = 1

    @classmethod
    def register(
        cls, *, user_id: UserId, email: EmailAddress, role: Role, profile: Profile, now: datetime
    ) -> tuple[Self, UserRegistered]:
        """A therapist waits for verification, everybody else is active at once."""
        status = UserStatus.PENDING_VERIFICATION if role is Role.THERAPIST else UserStatus.ACTIVE
        user = cls(id=user_id, email=email, role=role, status=status, profile=profile, created_at=now)
        return user, UserRegistered(user_id=user_id, role=role, status=status.value)

    @classmethod
    def register_invited_therapist(
        cls, *, user_id: UserId, email: EmailAddress, profile: Profile, now: datetime
    ) -> tuple[Self, tuple[UserRegistered, TherapistVerified]]:
        """An invitation is an administrator's word for somebody: they are verified and active at once."""
        user = cls(
            id=user_id,
            email=email,
            role=Role.THERAPIST,
            status=UserStatus.ACTIVE,
            profile=profile,
            created_at=now,
            verified_at=now,
        )
        registered = UserRegistered(user_id=user_id, role=Role.THERAPIST, status=UserStatus.ACTIVE.value)
        return user, (registered, TherapistVerified(user_id=user_id, display_name=profile.display_name or ""))

    @property
    def can_sign_in(self) -> bool:
        """A therapist who waits for verification may sign in, to hand in what verification needs."""
        return self.status is not UserStatus.SUSPENDED

    def verify(self, *, now: datetime) -> tuple[Self, TherapistVerified]:
        if self.status is not UserStatus.PENDING_VERIFICATION:
            raise NotPendingVerification
        verified = replace(self, status=UserStatus.ACTIVE, verified_at=now, revision=self.revision + 1)
        return verified, TherapistVerified(user_id=self.id, display_name=self.profile.display_name or "")

    def suspend(self, *, by: UserId) -> tuple[Self, UserSuspended]:
        if by == self.id:
            raise OwnAccount
        if self.status is UserStatus.SUSPENDED:
            raise AlreadySuspended
        suspended = replace(self, status=UserStatus.SUSPENDED, revision=self.revision + 1)
        return suspended, UserSuspended(user_id=self.id, role=self.role)

    def reinstate(self) -> tuple[Self, UserReinstated]:
        """Back to where they stood: a therapist who was never verified waits again."""
        if self.status is not UserStatus.SUSPENDED:
            raise NotSuspended
        waits = self.role is Role.THERAPIST and self.verified_at is None
        status = UserStatus.PENDING_VERIFICATION if waits else UserStatus.ACTIVE
        return replace(self, status=status, revision=self.revision + 1), UserReinstated(user_id=self.id, role=self.role)

    def change_profile(self, profile: Profile) -> tuple[Self, UserProfileChanged | None]:
        """The same profile again changes nothing, not even the revision, and is no event."""
        if profile == self.profile:
            return self, None
        revision = self.revision + 1
        return replace(self, profile=profile, revision=revision), UserProfileChanged(user_id=self.id, revision=revision)
