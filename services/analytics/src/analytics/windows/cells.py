"""Events of one minute and one group put together, so that an event costs one step however many windows it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple, TypeAlias
from uuid import UUID

from analytics.domain.metric import Aggregate, Grouping, Happening, Metric, Read, Reading, once
from analytics.windows.calendars import cell_of
from analytics.windows.sketch import bucket_of
from bloom_events.ids import TenantId

GroupOf: TypeAlias = Callable[[Happening], Hashable]
"""The values of an event's dimensions: one alone, several as a tuple."""

CellKey: TypeAlias = tuple[TenantId, Hashable, int]
"""One group of one tenant in one minute, which begins so many seconds after 1970."""


@dataclass(slots=True)
class Cell:
    """What a group has of a metric in a minute; buckets and members are there where the metric has them."""

    n: int = 0
    total: int = 0
    buckets: dict[int, int] | None = None
    members: set[UUID] | None = None


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
    if cell.members is None:
        cell.members = set()
    cell.members.add(reading.member)


def _value(cell: Cell, reading: Reading) -> None:
    if reading.value is None:
        raise ValueError("percentiles need values")
    cell.n += 1
    bucket = bucket_of(reading.value)
    if cell.buckets is None:
        cell.buckets = {}
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


class _Reader(NamedTuple):
    """How a metric reads events of one type; `place` is its own among the metrics."""

    place: int
    group_of: GroupOf
    read: Read
    note: _Note

    def add(self, cells: Cells, keys: Iterable[CellKey], happenings: Sequence[Happening]) -> None:
        if self.read is once and self.note is _count:
            # What only counts is counted without a step of Python for each.
            for key, n in Counter(keys).items():
                _cell(cells, key).n += n
            return
        for key, happening in zip(keys, happenings, strict=True):
            reading = self.read(happening)
            if reading is not None:
                self.note(_cell(cells, key), reading)


class CellReader:
    """Reads events by the metrics that want them."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = tuple(metrics)
        self._readers: dict[str, list[_Reader]] = {}
        for index, metric in enumerate(self.metrics):
            group_of = _group_of(metric.dimensions)
            for kind, read in metric.reads.items():
                self._readers.setdefault(kind.TYPE, []).append(_Reader(index, group_of, read, _NOTES[metric.aggregate]))

    def cells_of(self, happenings: Iterable[Happening]) -> list[tuple[Metric, Cells]]:
        """What these events come to, each of them counted once."""
        found: list[Cells] = [{} for _ in self.metrics]
        by_type: dict[str, list[Happening]] = {}
        for happening in happenings:
            by_type.setdefault(happening.type, []).append(happening)
        for type_, those in by_type.items():
            readers = self._readers.get(type_, ())
            tenants, seconds = [each.tenant_id for each in those], [cell_of(each.time) for each in those]
            for reader in readers:
                keys = zip(tenants, map(reader.group_of, those), seconds, strict=True)
                reader.add(found[reader.place], keys, those)
        return list(zip(self.metrics, found, strict=True))


def _group_of(dimensions: Grouping) -> GroupOf:
    return attrgetter(*(f"data.{name}" for name in dimensions)) if dimensions else _everybody


def _everybody(_: Happening) -> Hashable:
    return ()


def _cell(cells: Cells, key: CellKey) -> Cell:
    cell = cells.get(key)
    if cell is None:
        cell = cells[key] = Cell()
    return cell
