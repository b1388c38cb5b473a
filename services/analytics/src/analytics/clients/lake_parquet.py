"""Parquet files of the lake: a schema for each type of event, and one file made of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

from arro3.core import Array, ChunkedArray, DataType, Field, Schema, Table
from arro3.io import read_parquet

from analytics.clients.parquet_columns import (
    DAY,
    FLAG,
    INTEGER,
    NUMBER,
    ROW_GROUP_ROWS,
    TEXT,
    TEXTS,
    TIME,
    column,
    fields_of,
    table_of,
    written,
)
from analytics.domain.lake.columns import Kind
from analytics.domain.lake.fields import COMMON, LAKE_TYPES, columns_of
from analytics.domain.lake.rows import Row

_TYPES: Mapping[Kind, DataType] = MappingProxyType(
    {
        Kind.TEXT: TEXT,
        Kind.TEXTS: TEXTS,
        Kind.INTEGER: INTEGER,
        Kind.NUMBER: NUMBER,
        Kind.FLAG: FLAG,
        Kind.TIME: TIME,
        Kind.DAY: DAY,
    }
)


@cache
def schema_of(wire_type: str) -> Schema:
    """The columns of a type's files."""
    common = [Field(name, _TYPES[kind], nullable=False) for name, (kind, _) in COMMON.items()]
    return Schema([*common, *(Field(each.name, _TYPES[each.kind]) for each in columns_of(LAKE_TYPES[wire_type]))])


def encoded(wire_type: str, rows: Sequence[Row]) -> bytes:
    """A file of these rows."""
    schema = schema_of(wire_type)
    values = dict(zip(schema.names, zip(*rows, strict=True), strict=True))
    return written(table_of(values, schema))


def merged(wire_type: str, files: Sequence[bytes]) -> tuple[bytes, int]:
    """One file of what these hold, each event once, in the order of the log, and how many rows it has.

    All of a day of one type is in memory meanwhile. Files from before a field was added have nulls in its column.
    """
    schema = schema_of(wire_type)
    tables = [_fitted(read_parquet(file, batch_size=ROW_GROUP_ROWS).read_all(), schema) for file in files]
    table = Table.from_batches([batch for each in tables for batch in each.to_batches()], schema=schema)
    (batch,) = table.combine_chunks().to_batches()
    kept = batch.take(Array(_firsts(table), DataType.uint64()))
    return written(Table.from_batches([kept])), kept.num_rows


def _firsts(table: Table) -> list[int]:
    """The row of each event's first record in the log, in the log's order."""
    places = zip(table["log_partition"].to_pylist(), table["log_offset"].to_pylist(), range(table.num_rows), strict=True)
    events = table["event_id"].to_pylist()
    rows: dict[str, int] = {}
    for _, _, row in sorted(places):
        rows.setdefault(events[row], row)
    return list(rows.values())


def _fitted(table: Table, schema: Schema) -> Table:
    """The table with the columns of the schema, those that it lacks without values."""
    there = set(table.column_names)
    columns = [
        table[field.name].cast(field.type) if field.name in there else _nothing(table.num_rows, field.type)
        for field in fields_of(schema)
    ]
    return Table.from_arrays(columns, schema=schema)


def _nothing(rows: int, kind: DataType) -> ChunkedArray:
    return ChunkedArray([column([None] * rows, kind)])
