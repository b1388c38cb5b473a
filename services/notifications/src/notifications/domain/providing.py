"""What providers of e-mail, SMS and push are to us: something that takes a letter or not, and can be asked about one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from bloom_events.notifications import NotificationFailed, NotificationSent
from notifications.domain.deciding import PushAddress, is_safety
from notifications.domain.notices import Notification, Timing


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification with what its text needs beside: where it goes, in whose language and zone, and how to get no more."""

    notification: Notification
    address: str
    locale: str | None = None
    time_zone: str | None = None
    push: PushAddress | None = None
    unsubscribe_url: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The provider has it, under this id of its own."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never take it."""

    reason: str
    is_address_gone: bool = False
    """Whether the address itself is no more, so that it is forgotten."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The provider certainly did not take it; later it may. `wait` is what the provider asks for."""

    reason: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer: the provider may have taken it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider was asked and has no such message."""


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """This provider cannot be asked."""


Answer: TypeAlias = Taken | Refused | NotTaken | Lost
Finding: TypeAlias = Taken | Refused | Absent | Unanswerable | NotTaken


class Provider(Protocol):
    """One channel. `repeats_collapse` says that the same letter sent twice is one message to its reader."""

    @property
    def repeats_collapse(self) -> bool: ...

    async def send(self, letter: Letter) -> Answer:
        """Hand a letter over; every failure is an answer, nothing is raised."""

    async def find(self, letter: Letter) -> Finding:
        """Ask whether an earlier attempt arrived; NotTaken means that the question itself failed."""

    async def close(self) -> None:
        """Close its connections."""


Outcome: TypeAlias = tuple[Notification, NotificationSent | NotificationFailed | None]
"""A notification after an answer, and the event that tells of its end, if this was it."""


def after_sending(notification: Notification, answer: Answer, now: datetime, timing: Timing) -> Outcome:
    """What an attempt came to."""
    match answer:
        case Taken():
            return notification.sent(answer.provider_id, now)
        case Refused():
            return notification.failed(answer.reason, now)
        case NotTaken():
            return notification.to_be_tried_again(answer.reason, now, answer.wait), None
        case Lost():
            return notification.lost_sight_of(answer.reason, now, timing), None


def after_asking(notification: Notification, finding: Finding, now: datetime, *, repeats_collapse: bool) -> Outcome:
    """What a question about an attempt without an answer came to."""
    match finding:
        case Taken():
            return notification.sent(finding.provider_id, now)
        case Refused():
            return notification.failed(finding.reason, now)
        case NotTaken() if now < notification.expires_at:
            return notification.asked_in_vain(finding.reason, now), None
        # For somebody in danger a message too many is better than none; for an appointment it is not.
        case Unanswerable() if not (repeats_collapse or is_safety(notification)):
            return notification.failed("outcome_unknown", now)
        case NotTaken():
            return notification.failed("outcome_unknown", now)
        case Absent() | Unanswerable():
            return notification.to_be_sent_again(now), None
