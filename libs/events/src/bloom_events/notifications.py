"""Events of notifications: what was sent outside of Bloom, to whom and how; never what it said or to which address."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from bloom_events.event import Event, ReasonCode, UtcTime
from bloom_events.ids import NotificationId, UserId
from bloom_events.topics import NOTIFICATIONS, Topic


class Channel(StrEnum):
    """How somebody is told."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class NotificationEvent(Event):
    """What became of a notification."""

    TOPIC: ClassVar[Topic] = NOTIFICATIONS
    KEY: ClassVar[str] = "notification_id"

    notification_id: NotificationId
    """The notification."""
    user_id: UserId
    """For whom."""
    channel: Channel
    """How."""
    template: ReasonCode
    """Which text, such as `appointment_confirmed`."""
    about: UUID
    """The alert or appointment that it speaks of."""


class NotificationSent(NotificationEvent):
    """The provider took it."""

    TYPE: ClassVar[str] = "notification.sent.v1"

    sent_at: UtcTime
    """When."""


class NotificationFailed(NotificationEvent):
    """It cannot be delivered, and nobody tries again."""

    TYPE: ClassVar[str] = "notification.failed.v1"

    reason: ReasonCode
    """Why, such as `address_refused`."""
    failed_at: UtcTime
    """When it was given up."""


EVENTS: tuple[type[Event], ...] = (NotificationSent, NotificationFailed)
