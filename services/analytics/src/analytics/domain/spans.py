"""Kinds of windows: tumbling and hopping ones of a fixed length, and days by the calendar of a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Window(NamedTuple):
    """From its start until just before its end."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """Windows of `length` that begin every `advance`; those of whole days follow the calendar of a zone.

    A day is 23 or 25 hours long where clocks change. Raises ValueError for windows between which events would fall.
    """

    name: str
    length: timedelta
    advance: timedelta
    by_calendar: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for windows with gaps, or calendar windows that are no whole days."""
        if not timedelta() < self.advance <= self.length:
            raise ValueError("windows begin at least as often as they are long")
        if self.by_calendar and any(each % timedelta(days=1) for each in (self.length, self.advance)):
            raise ValueError("calendar windows are whole days")

    def windows_of(self, at: datetime, zone: ZoneInfo) -> Iterator[Window]:
        """The windows that a moment belongs to, the latest first."""
        if self.by_calendar:
            yield from self._days_of(at, zone)
            return
        start = _EPOCH + (at - _EPOCH) // self.advance * self.advance
        while start + self.length > at:
            yield Window(start, start + self.length)
            start -= self.advance

    def window_from(self, start: datetime, zone: ZoneInfo) -> Window:
        """The window that begins at `start`, one of this span's starts."""
        if not self.by_calendar:
            return Window(start, start + self.length)
        return Window(start, _midnight(start.astimezone(zone).date() + self.length, zone))

    def start_after(self, start: datetime, count: int, zone: ZoneInfo) -> datetime:
        """Where the window begins that is `count` later than the one that begins at `start`; earlier ones are negative."""
        if not self.by_calendar:
            return start + count * self.advance
        return _midnight(start.astimezone(zone).date() + count * self.advance, zone)

    def windows_between(self, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Window]:
        """The windows that begin from `start` until just before `end`, the earliest first."""
        begins = next(self.windows_of(start, zone)).start
        if begins < start:
            begins = self.start_after(begins, 1, zone)
        while begins < end:
            yield self.window_from(begins, zone)
            begins = self.start_after(begins, 1, zone)

    def _days_of(self, at: datetime, zone: ZoneInfo) -> Iterator[Window]:
        day = _day_of(at, zone)
        first = day - timedelta(days=day.toordinal() % self.advance.days)
        while first + self.length > day:
            start = _midnight(first, zone)
            # Where a zone leaves out a whole day, as Samoa did, that day begins no window: the next would begin at once with it.
            if start < _midnight(first + timedelta(days=1), zone):
                yield Window(start, _midnight(first + self.length, zone))
            first -= self.advance


def _day_of(at: datetime, zone: ZoneInfo) -> date:
    """The day that a moment belongs to; where clocks go back over midnight, that day has begun for good."""
    day = at.astimezone(zone).date()
    following = day + timedelta(days=1)
    return following if at >= _midnight(following, zone) else day


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day; where clocks skip midnight, the moment at which they do."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


MINUTE = Span("minute", timedelta(minutes=1), timedelta(minutes=1))
HOUR = Span("hour", timedelta(hours=1), timedelta(hours=1))
DAY = Span("day", timedelta(days=1), timedelta(days=1), by_calendar=True)
WEEK_BY_DAY = Span("week-by-day", timedelta(days=7), timedelta(days=1), by_calendar=True)
SPANS = {span.name: span for span in (MINUTE, HOUR, DAY, WEEK_BY_DAY)}
