"""Up to when nothing is missing: the slowest partition decides; silence counts when it is known, a broken clock does not."""

from datetime import UTC, datetime, timedelta

from analytics.domain.metrics import METRICS
from analytics.domain.partitions import Place, Progress, latest_in_clock, topics_of, watermark_of, watermarks_of

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
IDLE = timedelta(seconds=10)
BOOKED = METRICS["appointments.booked"]
PLACES = [Place(topic.name, number) for topic in topics_of(BOOKED) for number in range(topic.partitions)]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def read_until(at: datetime) -> Progress:
    return Progress(1, watermark=at, active_at=NOW, caught_up_at=NOW)


def test_the_slowest_partition_decides() -> None:
    progress = {place: read_until(NOW - minutes(place.partition)) for place in PLACES}

    assert watermark_of(BOOKED, progress, IDLE) == NOW - minutes(len(PLACES) - 1)


def test_a_partition_that_nobody_has_looked_at_holds_all_windows_open() -> None:
    progress = {place: read_until(NOW) for place in PLACES[1:]}

    assert watermark_of(BOOKED, progress, IDLE) is None
    assert "appointments.booked" not in watermarks_of(METRICS.values(), progress, IDLE)


def test_a_silent_partition_that_was_read_to_its_end_holds_nothing_open() -> None:
    progress = {place: read_until(NOW) for place in PLACES}
    progress[PLACES[0]] = Progress(1, NOW - minutes(60), active_at=NOW - minutes(60), caught_up_at=NOW)

    assert watermark_of(BOOKED, progress, IDLE) == NOW - IDLE


def test_a_partition_in_which_there_never_was_anything_is_silent() -> None:
    progress = {place: Progress(caught_up_at=NOW) for place in PLACES}

    assert watermark_of(BOOKED, progress, IDLE) == NOW - IDLE


def test_a_partition_whose_worker_is_away_is_not_silent() -> None:
    progress = {place: read_until(NOW) for place in PLACES}
    progress[PLACES[0]] = Progress(1, NOW - minutes(60), active_at=NOW - minutes(60), caught_up_at=NOW - minutes(60))

    assert watermark_of(BOOKED, progress, IDLE) == NOW - minutes(60)


def test_silence_takes_no_watermark_back() -> None:
    assert Progress(1, NOW, NOW - minutes(1), NOW).watermark_at(IDLE) == NOW


def test_events_from_the_future_move_no_watermark_and_hold_back_nobody() -> None:
    assert latest_in_clock([NOW, NOW + minutes(5), NOW - minutes(1)], NOW + minutes(1)) == NOW
    assert latest_in_clock([NOW + minutes(5)], NOW) is None
    assert Progress(1, None, active_at=NOW, caught_up_at=None).watermark_at(IDLE) == NOW - IDLE


def test_a_metric_of_two_topics_waits_for_both() -> None:
    active = METRICS["people.active"]
    assert len(topics_of(active)) == 2
    progress = {
        Place(topic.name, number): read_until(NOW - minutes(index))
        for index, topic in enumerate(sorted(topics_of(active), key=lambda each: each.name))
        for number in range(topic.partitions)
    }

    assert watermark_of(active, progress, IDLE) == NOW - minutes(1)
