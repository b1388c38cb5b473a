"""A session: one signed-in device, kept alive by refresh tokens of which each is good once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from auth.domain.outcomes import RefreshRefused
from bloom_events.auth import Role, SessionRevoked, SessionStarted
from bloom_events.ids import SessionId, UserId


class RevocationReason(StrEnum):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    REUSE_DETECTED = "reuse_detected"
    SUSPENDED = "suspended"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # the name of a reason, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """How long a session lives unused and at most, and how long (`grace`) a refresh may be repeated as a lost answer."""

    idle: timedelta
    absolute: timedelta
    grace: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`generation` counts the refresh tokens issued so far; only the newest one is good. `seed` goes into each token's proof."""

    id: SessionId
    user_id: UserId
    seed: bytes
    generation: int
    started_at: datetime
    rotated_at: datetime
    expires_at: datetime
    ends_at: datetime
    revoked_at: datetime | None = None
    revoked_because: RevocationReason | None = None

    @classmethod
    def start(
        cls, *, session_id: SessionId, user_id: UserId, role: Role, seed: bytes, policy: SessionPolicy, now: datetime
    ) -> tuple[Self, SessionStarted]:
        ends_at = now + policy.absolute
        session = cls(
            id=session_id, user_id=user_id, seed=seed, generation=1, started_at=now, rotated_at=now,
            expires_at=min(now + policy.idle, ends_at), ends_at=ends_at,
        )  # fmt: skip
        return session, SessionStarted(session_id=session_id, user_id=user_id, role=role, expires_at=session.expires_at)

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at

    def refresh(self, *, presented: int, policy: SessionPolicy, now: datetime) -> tuple[Self, SessionRevoked | None]:
        """Take a genuine token of generation `presented`.

        The newest one moves the session on. The one before it, within the grace, is a lost answer or a second tab: the session
        stays as it is and its newest token is given again. Any other was spent before: somebody has a copy, so the session ends.
        """
        if not self.is_live(now):
            raise RefreshRefused
        if presented == self.generation:
            return self._moved_on(policy, now), None
        if presented == self.generation - 1 and now - self.rotated_at <= policy.grace:
            return self, None
        return self.revoke(RevocationReason.REUSE_DETECTED, now=now)

    def _moved_on(self, policy: SessionPolicy, now: datetime) -> Self:
        expires_at = min(now + policy.idle, self.ends_at)
        return replace(self, generation=self.generation + 1, rotated_at=now, expires_at=expires_at)

    def revoke(self, reason: RevocationReason, *, now: datetime) -> tuple[Self, SessionRevoked]:
        revoked = replace(self, revoked_at=now, revoked_because=reason)
        return revoked, SessionRevoked(session_id=self.id, user_id=self.user_id, reason=reason.value)


def revoke_all(
    sessions: Iterable[Session], reason: RevocationReason, *, now: datetime
) -> tuple[list[Session], list[SessionRevoked]]:
    """End every session given; the events come in the sessions' order."""
    pairs = [session.revoke(reason, now=now) for session in sessions]
    return [session for session, _ in pairs], [event for _, event in pairs]
