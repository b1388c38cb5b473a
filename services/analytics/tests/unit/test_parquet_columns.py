"""Columns of Python values in Parquet, read again by another implementation of the format than the one that writes it."""

import io
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arro3.core import DataType, Field, Schema

from analytics.clients.parquet_columns import (
    DAY,
    FLAG,
    INTEGER,
    NUMBER,
    SMALL_INTEGER,
    TEXT,
    TEXTS,
    TIME,
    table_of,
    written,
)

BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
ELSEWHERE = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))


def read_again(values: list[Any], kind: DataType) -> list[Any]:
    schema = Schema([Field("value", kind)])
    table = pq.read_table(io.BytesIO(written(table_of({"value": values}, schema))))
    assert table.schema.equals(pa.schema(schema))
    found: list[Any] = table["value"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TEXT, ["Größe", "", None]),
        (TEXTS, [["a", "b"], [], None, ["c"]]),
        (INTEGER, [-(2**63), 2**63 - 1, None]),
        (SMALL_INTEGER, [-(2**31), 2**31 - 1, None]),
        (NUMBER, [0.1, -1e300, None]),
        (FLAG, [True, False, None]),
        (TIME, [BEFORE_1970, ELSEWHERE, datetime(9999, 12, 31, tzinfo=UTC), None]),
        (DAY, [date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31), None]),
    ],
    ids=["text", "texts", "integer", "small integer", "number", "flag", "time", "day"],
)
def test_values_of_each_type_come_back_as_they_were(kind: DataType, values: list[Any]) -> None:
    assert read_again(values, kind) == values


@pytest.mark.parametrize("kind", [TEXT, TEXTS, INTEGER, TIME, DAY])
def test_a_column_may_have_nothing_but_nulls_or_nothing_at_all(kind: DataType) -> None:
    assert read_again([None, None], kind) == [None, None]
    assert read_again([], kind) == []


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        read_again(["not a number"], INTEGER)


def test_nothing_is_missing_where_something_must_be() -> None:
    with pytest.raises(Exception, match="non-nullable"):
        table_of({"value": [None]}, Schema([Field("value", TEXT, nullable=False)]))


def test_rows_are_in_groups_that_a_reader_can_skip() -> None:
    schema = Schema([Field("value", INTEGER)])
    file = pq.ParquetFile(io.BytesIO(written(table_of({"value": list(range(150_000))}, schema))))
    assert [file.metadata.row_group(place).num_rows for place in range(file.metadata.num_row_groups)] == [131_072, 18_928]
