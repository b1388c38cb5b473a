"""Turns what a clock on the wall shows in a time zone into instants, through the days when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTES_PER_DAY = 1440


def instant_of(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The UTC instant at which the wall clock of `zone` shows `minute` (0 to 1440) of `day`.

    A time that occurs twice means its first occurrence; a time that is left out means the moment when the clocks jump over it.
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    before = wall.replace(fold=0).astimezone(UTC)
    after = wall.replace(fold=1).astimezone(UTC)
    # Only in a gap does the reading with the later offset come out earlier.
    return before if before <= after else _clock_change(after, before, zone)


def _clock_change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The first whole second after `low` with the offset that holds at `high`."""
    offset = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high
