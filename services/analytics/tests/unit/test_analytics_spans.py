"""Which windows a moment belongs to: tumbling and hopping ones, and days by calendars whose clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain.spans import DAY, HOUR, MINUTE, SPANS, WEEK_BY_DAY, Span, Window
from analytics.windows.calendars import Calendar, cell_of

BERLIN, SAO_PAULO, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Sao_Paulo"), ZoneInfo("Pacific/Apia")
ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Kathmandu", "America/Goose_Bay", "Africa/Monrovia")] + [BERLIN, SAO_PAULO, APIA]
moments = st.timedeltas(timedelta(days=1), timedelta(days=25_000)).map(lambda since: datetime(1970, 1, 1, tzinfo=UTC) + since)
zones = st.sampled_from(ZONES)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days_long(moment: str, zone: ZoneInfo) -> timedelta:
    (window,) = DAY.windows_of(utc(moment), zone)
    return window.end - window.start


@settings(deadline=None)
@given(moments, zones, st.sampled_from(list(SPANS.values())))
def test_a_moment_lies_in_each_of_its_windows_and_their_number_is_that_of_the_hops(
    moment: datetime, zone: ZoneInfo, span: Span
) -> None:
    windows = list(span.windows_of(moment, zone))

    assert all(window.start <= moment < window.end for window in windows)
    assert len({window.start for window in windows}) == len(windows) <= span.length / span.advance
    # Samoa once left a day out, so that a week had six.
    assert len(windows) >= span.length / span.advance - 1


@settings(deadline=None)
@given(moments, zones, st.sampled_from(list(SPANS.values())))
def test_all_moments_of_a_cell_have_the_same_windows(moment: datetime, zone: ZoneInfo, span: Span) -> None:
    found = Calendar().windows_of((span,), zone, cell_of(moment))

    assert found == tuple((span.name, window) for window in span.windows_of(moment, zone))


@settings(deadline=None)
@given(moments, zones)
def test_where_a_day_ends_the_next_begins(moment: datetime, zone: ZoneInfo) -> None:
    (window,) = DAY.windows_of(moment, zone)
    (following,) = DAY.windows_of(window.end, zone)

    assert following.start == window.end


@settings(deadline=None)
@given(moments, zones, st.sampled_from(list(SPANS.values())))
def test_a_window_can_be_found_by_its_start(moment: datetime, zone: ZoneInfo, span: Span) -> None:
    assert [span.window_from(window.start, zone) for window in span.windows_of(moment, zone)] == list(
        span.windows_of(moment, zone)
    )


def test_a_day_has_23_hours_when_clocks_go_forward_and_25_when_they_go_back() -> None:
    assert days_long("2030-03-31T12:00", BERLIN) == timedelta(hours=23)
    assert days_long("2030-10-27T12:00", BERLIN) == timedelta(hours=25)
    assert days_long("2030-10-28T12:00", BERLIN) == timedelta(hours=24)


def test_the_hour_that_comes_twice_is_two_hours_of_one_day() -> None:
    first, second = utc("2030-10-27T00:30"), utc("2030-10-27T01:30")
    assert first.astimezone(BERLIN).hour == second.astimezone(BERLIN).hour == 2

    assert list(HOUR.windows_of(first, BERLIN)) != list(HOUR.windows_of(second, BERLIN))
    assert list(DAY.windows_of(first, BERLIN)) == list(DAY.windows_of(second, BERLIN))


def test_where_clocks_skip_midnight_the_day_begins_when_they_do() -> None:
    (window,) = DAY.windows_of(utc("2018-11-04T12:00"), SAO_PAULO)

    assert window == Window(utc("2018-11-04T03:00"), utc("2018-11-05T02:00"))


def test_a_day_that_a_zone_left_out_begins_no_week() -> None:
    weeks = list(WEEK_BY_DAY.windows_of(utc("2012-01-03T12:00"), APIA))

    assert len(weeks) == 6
    assert len({week.start for week in weeks}) == 6


def test_a_window_begins_with_its_first_moment_and_ends_before_the_next_begins() -> None:
    zone = ZoneInfo("UTC")
    assert list(MINUTE.windows_of(utc("2030-01-07T09:00"), zone)) == [Window(utc("2030-01-07T09:00"), utc("2030-01-07T09:01"))]
    assert list(MINUTE.windows_of(utc("2030-01-07T08:59:59.999999"), zone)) == [
        Window(utc("2030-01-07T08:59"), utc("2030-01-07T09:00"))
    ]


def test_a_hopping_window_holds_a_moment_as_often_as_it_hops_the_latest_first() -> None:
    quarters = Span("hour-by-quarter", timedelta(hours=1), timedelta(minutes=15))

    starts = [window.start for window in quarters.windows_of(utc("2030-01-07T09:10"), ZoneInfo("UTC"))]
    assert starts == [utc(f"2030-01-07T{time}") for time in ("09:00", "08:45", "08:30", "08:15")]


@pytest.mark.parametrize(
    ("length", "advance", "by_calendar"),
    [(60, 90, False), (60, 0, False), (3600, 3600, True)],
)
def test_windows_between_which_events_would_fall_are_refused(length: int, advance: int, by_calendar: bool) -> None:
    with pytest.raises(ValueError, match="windows"):
        Span("odd", timedelta(seconds=length), timedelta(seconds=advance), by_calendar)
