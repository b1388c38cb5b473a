"""Notifications: one person is told one thing by one channel, from the intent to what became of it.

An intent is written in the transaction of its cause. Whoever sends it first writes that it is on its way, then calls the
provider, then writes what came of it. When that last part is missing, because the process died or no answer came, nobody knows
whether the provider acted: the provider is asked before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from bloom_events.ids import NotificationId, UserId
from bloom_events.notifications import Channel, NotificationFailed, NotificationSent

NO_TARGET = UUID(int=0)
"""Stands for the one address that a person has on a channel, where a browser's subscription would have its id."""


class Template(StrEnum):
    """Which text."""

    APPOINTMENT_BOOKED = "appointment_booked"
    APPOINTMENT_CONFIRMED = "appointment_confirmed"
    APPOINTMENT_NEW = "appointment_new"
    APPOINTMENT_RESCHEDULED = "appointment_rescheduled"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    REMINDER_DAY_BEFORE = "appointment_reminder_24h"
    REMINDER_HOUR_BEFORE = "appointment_reminder_1h"
    ALERT_CALLED = "alert_called"
    ALERT_HANDED_OVER = "alert_handed_over"

    @property
    def kind(self) -> Kind:
        """What a person's preferences call it."""
        return _KINDS.get(self, Kind.APPOINTMENTS)

    @property
    def is_cancellation(self) -> bool:
        """Whether it takes an appointment out of a calendar."""
        return self is Template.APPOINTMENT_CANCELLED


class Kind(StrEnum):
    """What somebody can want or not want to be told; safety is not a matter of wanting."""

    APPOINTMENTS = "appointments"
    REMINDERS = "reminders"
    SAFETY = "safety"


_KINDS: Mapping[Template, Kind] = MappingProxyType(
    {
        Template.REMINDER_DAY_BEFORE: Kind.REMINDERS,
        Template.REMINDER_HOUR_BEFORE: Kind.REMINDERS,
        Template.ALERT_CALLED: Kind.SAFETY,
        Template.ALERT_HANDED_OVER: Kind.SAFETY,
    }
)


class Urgency(StrEnum):
    """How much it matters when; only what is critical comes in quiet hours."""

    ROUTINE = "routine"
    URGENT = "urgent"
    CRITICAL = "critical"


class Status(StrEnum):
    """How far it has come; the last three are the end."""

    PENDING = "pending"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take: one call of a provider, and from its end until a message shows in what the provider answers."""

    call: timedelta = timedelta(seconds=10)
    settle: timedelta = timedelta(seconds=10)

    @property
    def lease(self) -> timedelta:
        """From a claim on nobody else touches a notification for so long: the call begins within `settle` or not at all."""
        return self.settle + self.call + self.settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One row; `facts` are the times and numbers that its text needs, never a name, an address or a person's words."""

    id: NotificationId
    user_id: UserId
    channel: Channel
    template: Template
    about: UUID
    occasion: str
    urgency: Urgency
    due_at: datetime | None
    expires_at: datetime
    created_at: datetime
    target_id: UUID = NO_TARGET
    facts: Mapping[str, str | int] = field(default_factory=dict)
    status: Status = Status.PENDING
    attempts: int = 0
    address: str | None = None
    called_at: datetime | None = None
    provider_id: str | None = None
    reason: str | None = None
    withdrawn: str | None = None
    ended_at: datetime | None = None

    @property
    def reference(self) -> str:
        """What a provider knows it by, the same at every attempt: 16 hexadecimal digits that are random in any kind of UUID."""
        return self.id.hex[-16:]

    @property
    def may_be_out(self) -> bool:
        """Whether a provider was called without a known end."""
        return self.status in {Status.SENDING, Status.UNKNOWN}

    def claimed(self, address: str, now: datetime, timing: Timing) -> Notification:
        """On its way: whatever happens from here on, the provider is asked before it is sent again."""
        return replace(
            self,
            status=Status.SENDING,
            address=address,
            called_at=now,
            due_at=now + timing.lease,
            attempts=self.attempts + 1,
            reason=None,
        )

    def under_question(self, now: datetime, timing: Timing) -> Notification:
        """Somebody is asking the provider about it."""
        return replace(self, status=Status.UNKNOWN, due_at=now + timing.lease)

    def lost_sight_of(self, reason: str, now: datetime, timing: Timing) -> Notification:
        """No answer came: the provider is asked when what it may have taken has settled."""
        return replace(self, status=Status.UNKNOWN, due_at=now + timing.settle, reason=reason)

    def asked_in_vain(self, reason: str, now: datetime) -> Notification:
        """The provider could not say; it is asked again later."""
        return replace(self, status=Status.UNKNOWN, due_at=now + self.next_wait(), reason=reason)

    def put_off(self, until: datetime, reason: str) -> Notification:
        """Nothing was sent; it is looked at again at `until`."""
        return replace(self, status=Status.PENDING, due_at=until, address=None, reason=reason)

    def to_be_tried_again(self, reason: str, now: datetime, wait: timedelta | None = None) -> Notification:
        """The provider did not take it; the next attempt waits longer than the last, or as long as the provider says."""
        return self.put_off(now + (wait or self.next_wait()), reason)

    def to_be_sent_again(self, now: datetime) -> Notification:
        """The provider never got it: at once after the first attempt, which a crash may have cut off, later after others."""
        return self.put_off(now if self.attempts <= 1 else now + self.next_wait(), self.reason or "not_taken")

    def next_wait(self) -> timedelta:
        """Doubling from attempt to attempt, a little different for each notification, so that they do not come in step."""
        first, most = _WAITS[self.urgency]
        wait = min(most, first * (1 << min(max(self.attempts - 1, 0), 16)))
        return wait * (0.875 + (self.id.int % 256) / 1024)

    def sent(self, provider_id: str | None, now: datetime) -> tuple[Notification, NotificationSent]:
        """The provider has it."""
        done = replace(self._ended(Status.SENT, None, now), provider_id=provider_id and _keepable(provider_id))
        return done, NotificationSent(**self._named(), sent_at=now)

    def failed(self, reason: str, now: datetime) -> tuple[Notification, NotificationFailed]:
        """It cannot be delivered, and nobody tries again."""
        return self._ended(Status.FAILED, reason, now), NotificationFailed(**self._named(), reason=reason, failed_at=now)

    def suppressed(self, reason: str, now: datetime) -> Notification:
        """Nobody is to be told, so nothing was tried."""
        return self._ended(Status.SUPPRESSED, reason, now)

    def _ended(self, status: Status, reason: str | None, now: datetime) -> Notification:
        return replace(self, status=status, reason=reason, due_at=None, address=None, ended_at=now)

    def _named(self) -> dict[str, object]:
        return {
            "notification_id": self.id,
            "user_id": self.user_id,
            "channel": self.channel,
            "template": self.template,
            "about": self.about,
        }


_LONGEST_PROVIDER_ID = 200


def _keepable(provider_id: str) -> str:
    """What a provider calls a message, as far as it can be stored: others choose these characters."""
    return "".join(letter for letter in provider_id if letter.isascii() and letter.isprintable())[:_LONGEST_PROVIDER_ID]


_WAITS: Mapping[Urgency, tuple[timedelta, timedelta]] = MappingProxyType(
    {
        Urgency.CRITICAL: (timedelta(seconds=1), timedelta(seconds=15)),
        Urgency.URGENT: (timedelta(seconds=2), timedelta(seconds=30)),
        Urgency.ROUTINE: (timedelta(seconds=15), timedelta(minutes=15)),
    }
)
"""The first and the longest wait between two attempts."""
