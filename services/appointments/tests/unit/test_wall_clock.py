"""Wall clock times become the right instants, on ordinary days and on those when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.domain.wall_clock import instant_of

# What the clock on the wall shows, and the moment in UTC: spring, autumn, half hours, a whole day left out.
CASES = [
    ("Europe/Berlin", date(2030, 1, 7), "09:00", "2030-01-07T08:00"),
    ("Europe/Berlin", date(2030, 3, 31), "02:30", "2030-03-31T01:00"),
    ("Europe/Berlin", date(2030, 3, 31), "03:00", "2030-03-31T01:00"),
    ("Europe/Berlin", date(2030, 10, 27), "02:30", "2030-10-27T00:30"),
    ("Europe/Berlin", date(2030, 10, 27), "03:00", "2030-10-27T02:00"),
    ("America/New_York", date(2030, 3, 10), "02:15", "2030-03-10T07:00"),
    ("America/New_York", date(2030, 11, 3), "01:15", "2030-11-03T05:15"),
    ("Asia/Kolkata", date(2030, 6, 3), "09:00", "2030-06-03T03:30"),
    ("Asia/Kathmandu", date(2030, 6, 3), "09:00", "2030-06-03T03:15"),
    ("Australia/Lord_Howe", date(2030, 10, 6), "02:15", "2030-10-05T15:30"),
    ("Australia/Lord_Howe", date(2030, 4, 7), "01:45", "2030-04-06T14:45"),
    ("America/Sao_Paulo", date(2018, 11, 4), "00:00", "2018-11-04T03:00"),
    ("America/Sao_Paulo", date(2018, 2, 17), "24:00", "2018-02-18T03:00"),
    ("Pacific/Apia", date(2011, 12, 30), "09:00", "2011-12-30T10:00"),
]


@pytest.mark.parametrize(("zone", "day", "wall", "expected"), CASES)
def test_a_wall_clock_time_is_the_right_instant(zone: str, day: date, wall: str, expected: str) -> None:
    hours, minutes = wall.split(":")
    found = instant_of(day, int(hours) * 60 + int(minutes), ZoneInfo(zone))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"])


@given(zone=ZONES, day=st.dates(date(2000, 1, 1), date(2040, 12, 31)), minute=st.integers(0, 1440), later=st.integers(0, 1440))
def test_a_later_time_on_the_wall_is_never_an_earlier_instant(zone: str, day: date, minute: int, later: int) -> None:
    first, second = sorted((minute, later))
    assert instant_of(day, first, ZoneInfo(zone)) <= instant_of(day, second, ZoneInfo(zone))


@given(zone=ZONES, day=st.dates(date(2000, 1, 1), date(2040, 12, 31)), minute=st.integers(0, 1439))
def test_the_instant_shows_the_asked_time_or_the_first_one_after_a_gap(zone: str, day: date, minute: int) -> None:
    local = instant_of(day, minute, ZoneInfo(zone)).astimezone(ZoneInfo(zone))
    shown, asked = (local.date(), local.hour * 60 + local.minute), (day, minute)
    assert shown == asked or (shown > asked and local.second == 0)
