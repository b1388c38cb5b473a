"""Questions about metrics: windows by the calendar, periods before, and followers that stay within bounds."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from analytics.domain.following import MOST_WAITING, Wanted
from analytics.domain.metrics import METRICS
from analytics.domain.questions import ask, choose
from analytics.domain.readers import ALL, Reader
from analytics.domain.spans import DAY, HOUR, MINUTE, WEEK_BY_DAY, Span, Window
from analytics.repository.told_windows import ToldWindow
from analytics.use_cases.feed import Follower
from analytics.windows.contents import Contents
from bloom_events.ids import TenantId

BOOKED = METRICS["appointments.booked"]
LATE = datetime(2099, 1, 1, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Australia/Lord_Howe"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("span", [MINUTE, HOUR, DAY, WEEK_BY_DAY], ids=lambda span: span.name)
def test_windows_of_a_range_are_those_that_its_moments_belong_to(zone: str, span: Span):
    zone_info = ZoneInfo(zone)
    start, end = datetime(2030, 3, 28, 11, 30, tzinfo=UTC), datetime(2030, 4, 9, 2, tzinfo=UTC)
    moments = [start + timedelta(minutes=minute) for minute in range(-10, int((end - start).total_seconds() // 60))]

    expected = {window for at in moments for window in span.windows_of(at, zone_info) if start <= window.start < end}

    assert list(span.windows_between(start, end, zone_info)) == sorted(expected, key=lambda window: window.start)


@pytest.mark.parametrize("zone", ZONES)
def test_the_period_before_ends_where_this_one_begins_and_has_as_many_windows(zone: str):
    start, end = datetime(2030, 3, 27, tzinfo=UTC), datetime(2030, 4, 12, tzinfo=UTC)

    asked = ask(BOOKED, DAY, ZoneInfo(zone), start=start, end=end, now=LATE, chosen=ALL, compares=True)

    assert len(asked.previous) == len(asked.windows)
    assert asked.previous[-1].end == asked.windows[0].start


def test_a_grouping_may_be_named_or_follow_from_the_value_that_is_wanted():
    assert choose(BOOKED, BOOKED.groupings, ["therapist_id"], {}).group == ("therapist_id",)
    assert choose(BOOKED, BOOKED.groupings, [], {"therapist_id": "x"}).only == {"therapist_id": "x"}
    assert choose(BOOKED, BOOKED.groupings, [], {}).group == ()


def told(day: int, revision: int = 1) -> ToldWindow:
    start = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return ToldWindow("messages.sent", {}, "day", Window(start, start), Contents(1), revision, False, 1, 1)


def follower() -> Follower:
    return Follower(TenantId(uuid4()), uuid4(), Wanted(Reader(), frozenset({"messages.sent"})))


async def test_what_waits_for_a_slow_reader_is_the_newest_state_of_each_window():
    slow = follower()
    for revision in (1, 3, 2):
        slow.offer([told(0, revision)], revision)

    was_lost, changes, position = await slow.take(0.01)

    assert (was_lost, [change.revision for change in changes], position) == (False, [3], 2)


async def test_a_reader_far_behind_costs_a_bounded_amount_and_is_told_that_it_lost_something():
    slow = follower()
    for batch in range(3):
        slow.offer([told(day) for day in range(batch * 600, batch * 600 + 600)], batch)
        assert len(slow._waiting) <= MOST_WAITING

    assert await slow.take(0.01) == (True, [told(day) for day in range(1200, 1800)], 2)
    assert await slow.take(0.01) == (False, [], 2)
