"""A series in a file of Parquet: the rows that it has everywhere, with their types, and nothing where nothing is told."""

import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from analytics.domain.metrics import METRICS
from analytics.domain.questions import Question, ask, choose
from analytics.domain.spans import DAY
from analytics.schemas.files import as_parquet, columns_of, rows_of
from analytics.use_cases.points import Period, Point, Series
from analytics.windows.contents import Told

BOOKED = METRICS["appointments.booked"]
START = datetime(2026, 11, 1, tzinfo=UTC)


def question() -> Question:
    chosen = choose(BOOKED, BOOKED.groupings, ["therapist_id"], {})
    zone = ZoneInfo("Europe/Berlin")
    return ask(BOOKED, DAY, zone, start=START, end=START + timedelta(days=3), now=START + timedelta(days=9), chosen=chosen)


def series(asked: Question) -> Series:
    told = Told(count=2, total=None, percentiles=None, is_suppressed=False)
    hidden = Told(count=None, total=None, percentiles=None, is_suppressed=True)
    first, *others = asked.windows
    points = [
        Point(first, told, share=0.5, cumulative=2, revision=3, is_final=True),
        *(Point(each, hidden) for each in others),
    ]
    return Series({"therapist_id": "Größe"}, Period(points, None))


def test_a_file_has_the_rows_of_the_series_with_their_types() -> None:
    asked = question()
    told = [series(asked)]

    table = pq.read_table(io.BytesIO(as_parquet(asked, told)))

    assert table.to_pylist() == [{name: row[name] for name in columns_of(asked)} for row in rows_of(asked, told)]
    types = {field.name: field.type for field in table.schema}
    assert list(types) == columns_of(asked)
    assert {types["window_start"], types["window_end"]} == {pa.timestamp("us", tz="UTC")}
    assert {types[name] for name in ("count", "total", "cumulative")} == {pa.int64()}
    assert (types["share"], types["revision"], types["is_final"]) == (pa.float64(), pa.int32(), pa.bool_())


def test_a_file_without_any_row_has_the_same_columns() -> None:
    asked = question()
    table = pq.read_table(io.BytesIO(as_parquet(asked, [])))
    assert (table.num_rows, table.column_names) == (0, columns_of(asked))
