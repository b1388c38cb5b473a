"""Events of one minute and one group put together, so that an event costs one step however many windows it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from analytics.domain.metric import Aggregate, Metric, Read, Reading
from analytics.windows.calendars import cell_of
from analytics.windows.sketch import bucket_of
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.ids import TenantId

Dimensions: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, in the order in which a metric's reading gives them."""


class CellKey(NamedTuple):
    """One group of one tenant in one minute, which begins `second` seconds after 1970."""

    tenant_id: TenantId
    dimensions: Dimensions
    second: int


@dataclass(slots=True)
class Cell:
    """What a group has of a metric in a minute."""

    n: int = 0
    total: int = 0
    buckets: dict[int, int] = field(default_factory=dict)
    members: set[UUID] = field(default_factory=set)


Cells: TypeAlias = dict[CellKey, Cell]
_Note: TypeAlias = Callable[[Cell, Reading], None]


def _count(cell: Cell, _: Reading) -> None:
    cell.n += 1


def _sum(cell: Cell, reading: Reading) -> None:
    cell.n += 1
    cell.total += reading.amount


def _member(cell: Cell, reading: Reading) -> None:
    if reading.member is None:
        raise ValueError("a distinct count needs members")
    cell.members.add(reading.member)


def _value(cell: Cell, reading: Reading) -> None:
    if reading.value is None:
        raise ValueError("percentiles need values")
    cell.n += 1
    bucket = bucket_of(reading.value)
    cell.buckets[bucket] = cell.buckets.get(bucket, 0) + 1


_NOTES: Mapping[Aggregate, _Note] = MappingProxyType(
    {
        Aggregate.COUNT: _count,
        Aggregate.SUM: _sum,
        Aggregate.SHARE: _sum,
        Aggregate.DISTINCT: _member,
        Aggregate.PERCENTILES: _value,
    }
)


class CellReader:
    """Reads events by the metrics that want them."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = tuple(metrics)
        self._readers: dict[type[Event], list[tuple[int, Read, _Note]]] = {}
        for index, metric in enumerate(self.metrics):
            for kind, read in metric.reads.items():
                self._readers.setdefault(kind, []).append((index, read, _NOTES[metric.aggregate]))

    def cells_of(self, envelopes: Iterable[Envelope[Any]]) -> list[tuple[Metric, Cells]]:
        """What these events come to, each of them counted once."""
        found: list[Cells] = [{} for _ in self.metrics]
        for envelope in envelopes:
            tenant_id, second = envelope.tenant_id, cell_of(envelope.time)
            for index, read, note in self._readers.get(type(envelope.data), ()):
                reading = read(envelope)
                if reading is None:
                    continue
                cells = found[index]
                key = CellKey(tenant_id, tuple(reading.dimensions.items()), second)
                cell = cells.get(key)
                if cell is None:
                    cell = cells[key] = Cell()
                note(cell, reading)
        return list(zip(self.metrics, found, strict=True))
