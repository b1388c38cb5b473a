"""Parquet files of the lake: explicit types for each type of event, zstd inside, the same bytes for the same rows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analytics.domain.lake.columns import Kind
from analytics.domain.lake.fields import COMMON, LAKE_TYPES, columns_of
from analytics.domain.lake.rows import Row

ROW_GROUP_ROWS = 131_072

_ARROW: Mapping[Kind, pa.DataType] = MappingProxyType(
    {
        Kind.TEXT: pa.string(),
        Kind.TEXTS: pa.list_(pa.string()),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.FLAG: pa.bool_(),
        Kind.TIME: pa.timestamp("us", tz="UTC"),
        Kind.DAY: pa.date32(),
    }
)


@cache
def schema_of(wire_type: str) -> pa.Schema:
    """The columns of a type's files."""
    common = [pa.field(name, _ARROW[kind], nullable=False) for name, (kind, _) in COMMON.items()]
    return pa.schema([*common, *(pa.field(each.name, _ARROW[each.kind]) for each in columns_of(LAKE_TYPES[wire_type]))])


def encoded(wire_type: str, rows: Sequence[Row]) -> bytes:
    """A file of these rows."""
    schema = schema_of(wire_type)
    columns = [pa.array(values, type=field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return _written(pa.Table.from_arrays(columns, schema=schema))


def merged(wire_type: str, files: Sequence[bytes]) -> tuple[bytes, int]:
    """One file of what these hold, each event once, in the order of the log, and how many rows it has.

    All of a day of one type is in memory meanwhile. Files from before a field was added have nulls in its column.
    """
    schema = schema_of(wire_type)
    table = pa.concat_tables([_fitted(pq.read_table(io.BytesIO(file)), schema) for file in files])
    table = table.sort_by([("log_partition", "ascending"), ("log_offset", "ascending")])
    numbered = pa.table({"event_id": table["event_id"], "row": pa.array(range(table.num_rows), pa.int64())})
    firsts = numbered.group_by("event_id").aggregate([("row", "min")])["row_min"].combine_chunks()
    kept = table.take(firsts.sort())
    return _written(kept), kept.num_rows


def _fitted(table: Any, schema: pa.Schema) -> Any:  # pyarrow ships no types
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _written(table: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(table.combine_chunks(), target, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    return target.getvalue()
