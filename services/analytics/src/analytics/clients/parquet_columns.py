"""Parquet files made of columns of Python values: explicit types, zstd inside, the same bytes for the same values."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from types import MappingProxyType
from typing import Any

from arro3.core import Array, DataType, Field, Schema, Table, list_array
from arro3.io import write_parquet

TEXT, FLAG, NUMBER = DataType.string(), DataType.bool(), DataType.float64()
INTEGER, SMALL_INTEGER = DataType.int64(), DataType.int32()
TIME, DAY = DataType.timestamp("us", tz="UTC"), DataType.date32()
# The name that the format itself gives to what is in a list; readers that go by names look for it.
TEXTS = DataType.list(Field("element", TEXT))

ROW_GROUP_ROWS = 131_072
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def column(values: Iterable[Any], kind: DataType) -> Array:
    """The values as a column of this type; None is no value."""
    return _MAKERS.get(kind, _plain)(list(values), kind)


def table_of(columns: Mapping[str, Sequence[Any]], schema: Schema) -> Table:
    """A table of these columns by name, each with the type that the schema gives it."""
    return Table.from_arrays([column(columns[field.name], field.type) for field in fields_of(schema)], schema=schema)


def fields_of(schema: Schema) -> list[Field]:
    """The fields of a schema in their order."""
    return [schema.field(name) for name in schema.names]


def written(table: Table) -> bytes:
    """The file."""
    target = io.BytesIO()
    write_parquet(table, target, compression="zstd(1)", max_row_group_size=ROW_GROUP_ROWS)
    return target.getvalue()


def _plain(values: Sequence[Any], kind: DataType) -> Array:
    return Array(values, kind)


def _times(values: Sequence[datetime | None], kind: DataType) -> Array:
    return Array([None if value is None else (value - _EPOCH) // _MICROSECOND for value in values], INTEGER).cast(kind)


def _days(values: Sequence[date | None], kind: DataType) -> Array:
    return Array([None if value is None else (value - _EPOCH.date()).days for value in values], SMALL_INTEGER).cast(kind)


def _lists(values: Sequence[Sequence[str] | None], kind: DataType) -> Array:
    ends = Array([0, *accumulate(len(value or ()) for value in values)], SMALL_INTEGER)
    inside = Array([each for value in values for each in value or ()], TEXT)
    return list_array(ends, inside, type=kind, mask=Array([value is None for value in values], FLAG))


# Columns that the library does not make of Python's own values by itself.
_MAKERS: Mapping[DataType, Callable[[Sequence[Any], DataType], Array]] = MappingProxyType(
    {TIME: _times, DAY: _days, TEXTS: _lists}
)
