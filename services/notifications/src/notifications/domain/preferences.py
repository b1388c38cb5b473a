"""What somebody wants to be told, by which channel, and when not; safety is told whatever they want."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from bloom_events.notifications import Channel
from notifications.domain.notices import Kind
from notifications.domain.wall_clock import MINUTES_PER_DAY, minute_of_day, next_instant_of, zone_of

CHOICES: tuple[tuple[Kind, Channel], ...] = tuple(
    (kind, channel) for kind in (Kind.APPOINTMENTS, Kind.REMINDERS) for channel in Channel
)
"""Everything that can be switched on and off. Links name a choice by its place here: add at the end, take nothing out."""

USUAL: frozenset[tuple[Kind, Channel]] = frozenset(choice for choice in CHOICES if choice[1] is not Channel.SMS)
"""What somebody gets who has said nothing: an SMS costs money and is read by others more easily."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one minute of the day until another, on the wall clock of a zone; `22:00` until `07:00` runs over midnight."""

    from_minute: int
    until_minute: int
    time_zone: str | None = None
    """The zone; none means the one that the person's profile names."""

    def __post_init__(self) -> None:
        minutes = (self.from_minute, self.until_minute)
        if self.from_minute == self.until_minute or not all(0 <= minute < MINUTES_PER_DAY for minute in minutes):
            raise ValueError("quiet hours begin and end at different minutes of the day")

    def end_after(self, now: datetime, own_zone: str | None) -> datetime | None:
        """When the quiet that reigns now is over; None when none does."""
        zone = zone_of(self.time_zone or own_zone)
        minute = minute_of_day(now, zone)
        if self.from_minute < self.until_minute:
            is_quiet = self.from_minute <= minute < self.until_minute
        else:
            is_quiet = minute >= self.from_minute or minute < self.until_minute
        return next_instant_of(self.until_minute, now, zone) if is_quiet else None


@dataclass(frozen=True, slots=True)
class Preferences:
    """One person's choices; `revision` 0 means that they have made none."""

    wanted: frozenset[tuple[Kind, Channel]] = USUAL
    quiet_hours: QuietHours | None = None
    revision: int = 0

    def __post_init__(self) -> None:
        if not self.wanted <= frozenset(CHOICES):
            raise ValueError("safety cannot be chosen")

    def wants(self, kind: Kind, channel: Channel) -> bool:
        return kind is Kind.SAFETY or (kind, channel) in self.wanted

    def without(self, kind: Kind, channel: Channel) -> Preferences:
        """The same with one kind switched off on one channel; as before when it was off."""
        if (kind, channel) not in self.wanted:
            return self
        return replace(self, wanted=self.wanted - {(kind, channel)}, revision=self.revision + 1)

    def words(self) -> Iterator[str]:
        """The choices as they are stored, such as `reminders.email`, in a fixed order."""
        return (f"{kind}.{channel}" for kind, channel in CHOICES if (kind, channel) in self.wanted)


def choices_from(words: list[str]) -> frozenset[tuple[Kind, Channel]]:
    """Read stored choices; raises ValueError for a word that is none."""
    pairs = (word.split(".") for word in words)
    return frozenset((Kind(kind), Channel(channel)) for kind, channel in pairs)
