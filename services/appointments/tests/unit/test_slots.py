"""Slots follow from weekly hours, exceptions, buffers and what is booked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from appointments.domain.availability import AvailabilityException, ExceptionKind, WeeklyHours, checked_week
from appointments.domain.outcomes import BeyondBookingHorizon, InvalidRange, NotASlot, OverlappingHours, StartsInThePast
from appointments.domain.slots import BOOKING_HORIZON, LONGEST_RANGE, Interval, checked_range
from bloom_events.ids import TherapistId

Utc = Callable[[str], datetime]
MONDAY = date(2030, 1, 7)


def exception(kind: str, first: date, last: date | None = None, opens: int | None = None, closes: int | None = None) -> Any:
    return AvailabilityException(uuid4(), TherapistId(uuid4()), ExceptionKind(kind), first, last or first, opens, closes)


def day_of(utc: Utc, day: str) -> Interval:
    return Interval(utc(f"{day}T00:00"), utc(f"{day}T00:00") + timedelta(days=1))


def starts(slots: Any) -> list[str]:
    return [f"{slot.start:%H:%M}" for slot in slots]


def test_a_day_is_cut_into_slots_from_its_opening_on(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(opens=9 * 60, closes=12 * 60, slot=50)
    assert starts(schedule.slots(day_of(utc, "2030-01-07"))) == ["09:00", "09:50", "10:40"]


def test_buffers_keep_slots_apart(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(opens=9 * 60, closes=12 * 60, slot=50, before=5, after=10)
    assert starts(schedule.slots(day_of(utc, "2030-01-07"))) == ["09:00", "10:05", "11:10"]


def test_only_slots_that_lie_wholly_in_the_range_are_given(schedule_of: Any, utc: Utc) -> None:
    within = Interval(utc("2030-01-07T09:30"), utc("2030-01-07T11:30"))
    assert starts(schedule_of().slots(within)) == ["10:00"]


def test_a_day_without_hours_has_no_slots(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(weekly=(WeeklyHours(1, 540, 1020),))
    assert starts(schedule.slots(day_of(utc, "2030-01-08"))) == []


def test_closed_days_have_no_slots(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(exceptions=(exception("closed", MONDAY, date(2030, 1, 8)),))
    found = list(schedule.slots(Interval(utc("2030-01-07T00:00"), utc("2030-01-10T00:00"))))
    assert {slot.start.day for slot in found} == {9}


def test_closed_hours_cut_a_day_in_two_and_the_grid_starts_anew_behind_them(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(closes=13 * 60, exceptions=(exception("closed", MONDAY, None, 10 * 60, 10 * 60 + 30),))
    assert starts(schedule.slots(day_of(utc, "2030-01-07"))) == ["09:00", "10:30", "11:30"]


def test_extra_hours_open_a_day_that_has_none(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(weekly=(), exceptions=(exception("open", MONDAY, None, 18 * 60, 20 * 60),))
    assert starts(schedule.slots(day_of(utc, "2030-01-07"))) == ["18:00", "19:00"]


def test_extra_hours_that_touch_the_weekly_ones_become_one_opening(schedule_of: Any, utc: Utc) -> None:
    extra = exception("open", MONDAY, None, 11 * 60, 14 * 60)
    schedule = schedule_of(opens=540, closes=11 * 60 + 30, slot=90, exceptions=(extra,))
    assert starts(schedule.slots(day_of(utc, "2030-01-07"))) == ["09:00", "10:30", "12:00"]


def test_closed_wins_over_extra_hours(schedule_of: Any, utc: Utc) -> None:
    both = (exception("open", MONDAY, None, 18 * 60, 20 * 60), exception("closed", MONDAY))
    assert starts(schedule_of(exceptions=both).slots(day_of(utc, "2030-01-07"))) == []


def test_a_leap_day_has_its_slots(schedule_of: Any, utc: Utc) -> None:
    assert starts(schedule_of(closes=11 * 60).slots(day_of(utc, "2028-02-29"))) == ["09:00", "10:00"]


def test_hours_until_midnight_end_the_day(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(opens=22 * 60, closes=1440)
    assert starts(schedule.slots(day_of(utc, "2030-01-07"))) == ["22:00", "23:00"]


def test_free_slots_leave_out_the_past_the_booked_and_what_a_buffer_touches(schedule_of: Any, utc: Utc) -> None:
    schedule = schedule_of(closes=14 * 60, slot=50, after=10)
    busy = [Interval(utc("2030-01-07T11:00"), utc("2030-01-07T12:00"))]
    free = schedule.free_slots(day_of(utc, "2030-01-07"), busy, now=utc("2030-01-07T09:00"))
    assert starts(free) == ["10:00", "12:00", "13:00"]


def test_nothing_is_free_behind_the_horizon(schedule_of: Any, utc: Utc) -> None:
    now = utc("2030-01-07T09:00")
    last = now + BOOKING_HORIZON
    free = list(schedule_of().free_slots(Interval(last - timedelta(days=1), last + timedelta(days=1)), (), now))
    assert free
    assert max(slot.start for slot in free) <= last


@pytest.mark.parametrize(
    ("start", "end", "refusal"),
    [
        ("2030-01-07T10:05", "2030-01-07T11:05", NotASlot),
        ("2030-01-07T10:00", "2030-01-07T10:30", NotASlot),
        ("2030-01-07T11:00", "2030-01-07T10:00", NotASlot),
        ("2030-01-07T20:00", "2030-01-07T21:00", NotASlot),
        ("2030-01-07T09:00", "2030-01-07T10:00", StartsInThePast),
        ("2001-01-01T09:00", "2001-01-01T10:00", StartsInThePast),
        ("2031-01-07T10:00", "2031-01-07T11:00", BeyondBookingHorizon),
    ],
)
def test_a_time_that_cannot_be_booked_is_refused(schedule_of: Any, utc: Utc, start: str, end: str, refusal: Any) -> None:
    with pytest.raises(refusal):
        schedule_of().slot_at(Interval(utc(start), utc(end)), utc("2030-01-07T09:00"))


@pytest.mark.parametrize(("before", "after"), [(0, 0), (5, 10)])
def test_a_time_can_be_booked_exactly_when_it_is_listed(schedule_of: Any, utc: Utc, before: int, after: int) -> None:
    closed = exception("closed", MONDAY, opens=10 * 60 + 20, closes=11 * 60)
    schedule = schedule_of(opens=9 * 60, closes=13 * 60, slot=30, before=before, after=after, exceptions=(closed,))
    day, now = day_of(utc, "2030-01-07"), utc("2030-01-06T00:00")
    tried = [Interval(at, at + timedelta(minutes=30)) for at in (day.start + timedelta(minutes=5 * n) for n in range(288))]

    def can_be_booked(time: Interval) -> bool:
        try:
            return schedule.slot_at(time, now) == time
        except NotASlot:
            return False

    listed = list(schedule.slots(day))
    assert len(listed) > 2
    assert [time for time in tried if can_be_booked(time)] == listed


def test_a_range_may_be_31_days_long_and_not_longer(utc: Utc) -> None:
    start = utc("2030-01-07T00:00")
    assert checked_range(start, start + LONGEST_RANGE).start == start
    with pytest.raises(InvalidRange):
        checked_range(start, start + LONGEST_RANGE + timedelta(seconds=1))
    with pytest.raises(InvalidRange):
        checked_range(start, start)


def test_a_week_with_overlapping_hours_is_refused_and_one_that_touches_is_not() -> None:
    touching = [WeeklyHours(1, 780, 1020), WeeklyHours(1, 540, 780)]
    assert checked_week(touching) == (touching[1], touching[0])
    with pytest.raises(OverlappingHours):
        checked_week([WeeklyHours(1, 540, 781), WeeklyHours(1, 780, 1020)])


def test_an_exception_runs_forward_and_not_for_longer_than_a_year() -> None:
    with pytest.raises(InvalidRange):
        exception("closed", date(2030, 1, 7), date(2030, 1, 6))
    with pytest.raises(InvalidRange):
        exception("closed", date(2030, 1, 7), date(2031, 1, 9))
