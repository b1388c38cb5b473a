"""Turns what a clock on the wall shows in a time zone into instants, through the days when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

MINUTES_PER_DAY = 1440


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """Every zone of the IANA database; the three left out are names of a machine's own setting."""
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def zone_of(name: str | None) -> ZoneInfo:
    """The zone of this name; UTC for none, and for one that this machine does not know."""
    return ZoneInfo(name) if name in time_zones() else ZoneInfo("UTC")


def minute_of_day(moment: datetime, zone: ZoneInfo) -> int:
    """What the wall clock of `zone` shows at a moment, in minutes from midnight."""
    wall = moment.astimezone(zone)
    return wall.hour * 60 + wall.minute


def next_instant_of(minute: int, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant later than `after` at which the wall clock of `zone` shows this minute of the day.

    On a day when clocks jump over it, it is the moment of the jump; when they show it twice, each of the two counts.
    """
    day = after.astimezone(zone).date()
    for offset in range(3):
        for instant in _instants_of(day + timedelta(days=offset), minute, zone):
            if instant > after:
                return instant
    raise ValueError("no such minute of the day")


def _instants_of(day: date, minute: int, zone: ZoneInfo) -> tuple[datetime, ...]:
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    first, second = wall.replace(fold=0).astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    if first == second:
        return (first,)
    # In a gap the reading with the offset from before comes out later than the other one.
    return (first, second) if first < second else (_clock_change(second, first, zone),)


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
