"""Invitations: an administrator's word that somebody is a therapist, good once and for one address."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from auth.domain.outcomes import InvitationNotUsable
from auth.domain.users import EmailAddress
from bloom_events.ids import InvitationId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Who was invited by whom, and what became of it."""

    id: InvitationId
    email: EmailAddress
    invited_by: UserId
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    accepted_by: UserId | None = None

    @classmethod
    def invite(
        cls, *, invitation_id: InvitationId, email: EmailAddress, invited_by: UserId, lifetime: timedelta, now: datetime
    ) -> Self:
        return cls(id=invitation_id, email=email, invited_by=invited_by, created_at=now, expires_at=now + lifetime)

    def accept(self, *, email: EmailAddress, user_id: UserId, now: datetime) -> Self:
        if self.accepted_at is not None or now >= self.expires_at or email != self.email:
            raise InvitationNotUsable
        return replace(self, accepted_at=now, accepted_by=user_id)
