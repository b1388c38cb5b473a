"""On the days when clocks change no slot is lost, doubled or of the wrong length, in five zones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appointments.domain.availability import WeeklyHours
from appointments.domain.slots import Interval, Schedule

Utc = Callable[[str], datetime]

# Zone, local day, how many real hours the day has: both changes of each zone's last year with changes.
CHANGES = [
    ("Europe/Berlin", date(2030, 3, 31), 23.0),
    ("Europe/Berlin", date(2030, 10, 27), 25.0),
    ("America/New_York", date(2030, 3, 10), 23.0),
    ("America/New_York", date(2030, 11, 3), 25.0),
    ("Asia/Kolkata", date(2030, 3, 31), 24.0),
    ("Australia/Lord_Howe", date(2030, 10, 6), 23.5),
    ("Australia/Lord_Howe", date(2030, 4, 7), 24.5),
    ("America/Sao_Paulo", date(2018, 11, 4), 23.0),
    ("America/Sao_Paulo", date(2018, 2, 17), 25.0),
    ("Europe/Berlin", date(2028, 2, 29), 24.0),
]


def local_day(zone: str, day: date) -> Interval:
    around = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return Interval(around - timedelta(days=1), around + timedelta(days=1))


def slots_on(schedule: Schedule, day: date) -> list[Interval]:
    zone = ZoneInfo(schedule.time_zone)
    return [s for s in schedule.slots(local_day(schedule.time_zone, day)) if s.start.astimezone(zone).date() == day]


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_a_day_that_is_open_all_day_has_a_slot_for_each_real_half_hour(
    schedule_of: Any, zone: str, day: date, hours: float
) -> None:
    found = slots_on(schedule_of(zone, opens=0, closes=1440, slot=30), day)
    assert len(found) == hours * 2
    assert all(earlier.end == later.start for earlier, later in pairwise(found))


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_office_hours_keep_their_wall_clock_times(schedule_of: Any, zone: str, day: date, hours: float) -> None:
    found = slots_on(schedule_of(zone, opens=540, closes=1020), day)
    walls = [f"{slot.start.astimezone(ZoneInfo(zone)):%H:%M}" for slot in found]
    assert walls == [f"{hour:02d}:00" for hour in range(9, 17)]


def test_hours_that_lie_in_the_gap_have_no_slot(schedule_of: Any) -> None:
    assert slots_on(schedule_of("Europe/Berlin", opens=120, closes=180, slot=30), date(2030, 3, 31)) == []


def test_hours_that_the_gap_cuts_short_lose_only_what_is_left_out(schedule_of: Any, utc: Utc) -> None:
    found = slots_on(schedule_of("America/New_York", opens=90, closes=240, slot=30), date(2030, 3, 10))
    assert [slot.start for slot in found] == [utc("2030-03-10T06:30"), utc("2030-03-10T07:00"), utc("2030-03-10T07:30")]


def test_an_hour_that_occurs_twice_is_offered_once(schedule_of: Any, utc: Utc) -> None:
    found = slots_on(schedule_of("Europe/Berlin", opens=120, closes=180, slot=30), date(2030, 10, 27))
    assert found[0].start == utc("2030-10-27T00:00")
    assert len(set(found)) == len(found)


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(sorted({zone for zone, _, _ in CHANGES})),
    day=st.dates(date(2017, 1, 1), date(2031, 12, 31)),
    opens=st.integers(0, 1200),
    length=st.integers(30, 240),
    slot=st.sampled_from([15, 25, 50, 60]),
    buffer=st.sampled_from([0, 5, 10]),
)
def test_slots_of_any_day_have_their_length_stay_apart_and_can_each_be_booked(
    *, zone: str, day: date, opens: int, length: int, slot: int, buffer: int
) -> None:
    week = tuple(WeeklyHours(weekday, opens, min(1440, opens + length)) for weekday in range(1, 8))
    schedule = Schedule(zone, timedelta(minutes=slot), timedelta(0), timedelta(minutes=buffer), week, ())
    found = list(schedule.slots(local_day(zone, day)))
    assert all(each.end - each.start == timedelta(minutes=slot) for each in found)
    assert all(schedule.block_of(a).end <= schedule.block_of(b).start for a, b in pairwise(found))
    for each in found:
        assert schedule.slot_at(each, each.start - timedelta(days=1)) == each


@settings(max_examples=50, deadline=None)
@given(day=st.dates(date(2030, 1, 1), date(2030, 12, 1)), cut=st.integers(1, 29))
def test_asking_for_a_range_in_two_parts_gives_the_same_whole_days(day: date, cut: int) -> None:
    week = tuple(WeeklyHours(weekday, 540, 1020) for weekday in range(1, 8))
    schedule = Schedule("Australia/Lord_Howe", timedelta(minutes=50), timedelta(0), timedelta(minutes=10), week, ())
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Australia/Lord_Howe")).astimezone(UTC)
    middle, end = start + timedelta(days=cut), start + timedelta(days=30)
    # A slot on the cut itself lies in neither part.
    parts = [*schedule.slots(Interval(start, middle)), *schedule.slots(Interval(middle, end))]
    whole = [s for s in schedule.slots(Interval(start, end)) if not (s.start < middle < s.end)]
    assert parts == whole
