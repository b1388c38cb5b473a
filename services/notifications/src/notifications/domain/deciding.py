"""Whether a notification goes out now: one rule for all of them, applied at the moment when it would be sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from bloom_events.notifications import Channel
from notifications.domain.notices import Kind, Notification, Urgency
from notifications.domain.preferences import Preferences

ADDRESS_WAIT = timedelta(seconds=15)
"""How soon an address that auth has not told yet is looked for again."""


@dataclass(frozen=True, slots=True)
class PushAddress:
    """One browser: where its push service takes messages, and the keys that only the browser can open."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is known about somebody at this moment."""

    email: str | None = None
    phone: str | None = None
    push: PushAddress | None = None
    locale: str | None = None
    time_zone: str | None = None
    is_suspended: bool = False
    preferences: Preferences = field(default_factory=Preferences)

    def address_on(self, channel: Channel) -> str | None:
        match channel:
            case Channel.EMAIL:
                return self.email
            case Channel.SMS:
                return self.phone
            case Channel.PUSH:
                return self.push.endpoint if self.push else None


@dataclass(frozen=True, slots=True)
class Send:
    """It goes out, to this address."""

    address: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now; it is looked at again then."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Suppress:
    """They are not to be told."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """They were to be told, and it came to nothing."""

    reason: str


Decision: TypeAlias = Send | Defer | Suppress | GiveUp


def decide(notification: Notification, recipient: Recipient, now: datetime, *, is_channel_open: bool = True) -> Decision:
    """What is to be done about a pending notification. Safety is never a matter of preference, only of quiet hours."""
    if notification.withdrawn:
        return Suppress(notification.withdrawn)
    if recipient.is_suspended:
        return Suppress("account_suspended")
    if not recipient.preferences.wants(notification.template.kind, notification.channel):
        return Suppress("not_wanted")
    if not is_channel_open:
        return Suppress("channel_closed")
    if now >= notification.expires_at:
        return GiveUp(notification.reason or "expired")
    return _by_address(notification, recipient, now)


def _by_address(notification: Notification, recipient: Recipient, now: datetime) -> Decision:
    address = recipient.address_on(notification.channel)
    if address is None and notification.channel is Channel.EMAIL:
        return Defer(now + ADDRESS_WAIT, "no_address")
    if address is None:
        return Suppress("no_address")
    quiet_until = _quiet_until(notification, recipient, now)
    if quiet_until is None:
        return Send(address)
    # What would come too late is not worth waking anybody: they asked for quiet.
    return Defer(quiet_until, "quiet_hours") if quiet_until < notification.expires_at else Suppress("quiet_hours")


def _quiet_until(notification: Notification, recipient: Recipient, now: datetime) -> datetime | None:
    quiet_hours = recipient.preferences.quiet_hours
    if quiet_hours is None or notification.urgency is Urgency.CRITICAL:
        return None
    return quiet_hours.end_after(now, recipient.time_zone)


def is_safety(notification: Notification) -> bool:
    return notification.template.kind is Kind.SAFETY
