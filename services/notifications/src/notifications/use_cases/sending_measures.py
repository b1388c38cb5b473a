"""What is measured of notifications: by channel, text and outcome, never by person."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Counter, Histogram

from notifications.domain.notices import Notification, Status
from service_kit.metrics import REGISTRY

_ENDED = Counter(
    "notifications",
    "Notifications looked at, by what came of it.",
    ("channel", "template", "status", "reason"),
    namespace="bloom",
    registry=REGISTRY,
)
_SECONDS = Histogram(
    "notification_seconds",
    "Seconds from a notification's cause until the provider had it.",
    ("channel", "urgency"),
    namespace="bloom",
    registry=REGISTRY,
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)


def note(notification: Notification, now: datetime) -> None:
    """Count what came of a notification, and how long it took when it was sent."""
    _ENDED.labels(notification.channel, notification.template, notification.status, notification.reason or "none").inc()
    if notification.status is Status.SENT:
        _SECONDS.labels(notification.channel, notification.urgency).observe((now - notification.created_at).total_seconds())
