"""Wall clocks in every zone: quiet hours end at the right instant through every change of clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.domain.preferences import QuietHours
from notifications.domain.wall_clock import minute_of_day, next_instant_of, time_zones, zone_of

MINUTES = st.integers(0, 1439)
ZONES = st.sampled_from(sorted(time_zones()))
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2036, 12, 31)).map(  # noqa: DTZ001  # made aware right here
    lambda moment: moment.replace(tzinfo=UTC, second=0, microsecond=0)
)


@given(minute=MINUTES, after=MOMENTS, name=ZONES)
@settings(max_examples=400)
def test_the_next_instant_is_later_and_the_clock_shows_that_minute_or_has_just_jumped_over_it(
    minute: int, after: datetime, name: str
) -> None:
    zone = ZoneInfo(name)
    instant = next_instant_of(minute, after, zone)

    assert after < instant <= after + timedelta(hours=51)
    shown = minute_of_day(instant, zone)
    before = minute_of_day(instant - timedelta(minutes=1), zone)
    jumped_over = (minute - before) % 1440 < (shown - before) % 1440
    assert shown == minute or jumped_over


@given(begin=MINUTES, length=st.integers(1, 1439), now=MOMENTS, name=ZONES)
@settings(max_examples=300)
def test_quiet_ends_and_the_moment_of_its_end_is_not_quiet(begin: int, length: int, now: datetime, name: str) -> None:
    quiet = QuietHours(begin, (begin + length) % 1440, name)
    end = quiet.end_after(now, None)

    if end is not None:
        assert end > now
        assert quiet.end_after(end, None) is None or minute_of_day(end, ZoneInfo(name)) != quiet.until_minute


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # Berlin, 25 March 2035: from two o'clock to three there is no half past two.
        ("2035-03-25T00:30:00+00:00", "2035-03-25T01:00:00+00:00"),
        # Berlin, 28 October 2035: half past two comes twice, and the first one ends it.
        ("2035-10-28T00:15:00+00:00", "2035-10-28T00:30:00+00:00"),
    ],
)
def test_on_the_nights_when_clocks_change_quiet_ends_once(now: str, end: str) -> None:
    quiet = QuietHours(22 * 60, 2 * 60 + 30, "Europe/Berlin")

    assert quiet.end_after(datetime.fromisoformat(now), None) == datetime.fromisoformat(end)


def test_without_a_zone_of_their_own_quiet_hours_are_those_of_the_profile_or_of_utc() -> None:
    quiet, noon = QuietHours(12 * 60, 13 * 60), datetime(2035, 1, 1, 12, 30, tzinfo=UTC)

    assert quiet.end_after(noon, None) == noon + timedelta(minutes=30)
    assert quiet.end_after(noon, "Asia/Tokyo") is None
    assert zone_of("Mars/Olympus") == ZoneInfo("UTC")


@pytest.mark.parametrize(("begin", "until"), [(60, 60), (-1, 60), (60, 1440)])
def test_hours_that_are_none_are_refused(begin: int, until: int) -> None:
    with pytest.raises(ValueError, match="quiet hours"):
        QuietHours(begin, until)
