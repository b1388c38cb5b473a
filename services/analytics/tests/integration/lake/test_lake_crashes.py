"""The process dies at any point of a round: the next one leaves the lake as if nothing had happened."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from services.analytics.tests.integration.lake.conftest import Shore, settled

from analytics.use_cases.lake import FAILPOINTS, Lake, Timing
from service_kit.object_store.port import content_of

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = TODAY - timedelta(days=1)
BOOKED = "type=appointment.booked.v1/"
KILLED = -9


def ids_in(shore: Shore) -> Counter[UUID]:
    """The id of every booking that the manifests name, as DuckDB reads it."""
    files = [pq.read_table(pa.BufferReader(content_of(shore.store, path))) for path in shore.listed() if path.startswith(BOOKED)]
    bookings = pa.concat_tables(files)  # noqa: F841  # DuckDB finds it by its name
    with duckdb.connect() as connection:
        return Counter(UUID(found) for (found,) in connection.execute("select event_id from bookings").fetchall())


class ProcessDied(BaseException):
    """Nothing that catches errors catches this."""


def dying_at(point: str) -> Callable[[str], None]:
    def passing(name: str) -> None:
        if name == point:
            raise ProcessDied

    return passing


async def two_rounds(shore: Shore, lake: Lake) -> None:
    """The second one removes what the first has replaced."""
    settled(await lake.round())
    shore.clock.advance(seconds=1)
    settled(await lake.round())


@pytest.mark.parametrize("failpoint", FAILPOINTS)
async def test_a_crash_leaves_every_event_in_the_lake_once_and_no_file_that_no_manifest_names(
    bucket_shore: Shore, failpoint: str
) -> None:
    shore, timing = bucket_shore, Timing(day_is_over_after=timedelta(), superseded_stay=timedelta(), sweep_every=timedelta())
    shore.clock.moment = datetime.now(UTC)
    events = [shore.booked(YESTERDAY if place % 2 else TODAY) for place in range(40)]
    shore.publish(*events[:20])
    async with shore.lake(timing=timing, failpoint=dying_at(failpoint)) as lake:
        with pytest.raises(ProcessDied):
            await two_rounds(shore, lake)

    shore.publish(*events[20:])
    shore.clock.advance(seconds=1)
    async with shore.lake(timing=timing) as lake:
        await two_rounds(shore, lake)

    assert ids_in(shore) == Counter(event.id for event in events)
    assert shore.data() == shore.listed()
    assert len([path for path in shore.listed() if f"{YESTERDAY:%Y-%m-%d}" in path]) == 1


async def test_processes_that_are_killed_leave_orphans_which_are_removed(bucket_shore: Shore) -> None:
    shore = bucket_shore
    first, second = [shore.booked(TODAY, appointment_id=UUID(int=1)) for _ in range(2)]
    shore.publish(first)
    assert shore.command(failpoint="put").returncode == KILLED
    shore.publish(second)
    assert shore.command(failpoint="committing").returncode == KILLED
    assert len(shore.data()) == 2

    said = shore.command()

    assert said.returncode == 0, said.stderr
    assert ids_in(shore) == Counter([first.id, second.id])
    async with shore.lake() as lake:
        assert settled(await lake.round()).orphans == 1
    assert shore.data() == shore.listed()
