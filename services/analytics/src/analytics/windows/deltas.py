"""What events add to windows: deltas that add up to the same whatever the order and the split of the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from analytics.domain.metric import PLATFORM, Grouping, Happening, Metric
from analytics.windows.calendars import Calendar
from analytics.windows.cells import Cell, CellReader, Cells
from analytics.windows.contents import Contents
from bloom_events.ids import TenantId


class WindowKey(NamedTuple):
    """A window of a tenant; `dimensions` is a JSON object with sorted keys."""

    metric: str
    dimensions: str
    span: str
    start: datetime


@dataclass(slots=True)
class Delta:
    """What is added to a window; members bring their own count, for some may be there already."""

    end: datetime
    n: int = 0
    total: int = 0
    buckets: dict[int, int] = field(default_factory=dict)
    members: set[bytes] = field(default_factory=set)

    def add(self, cell: Cell, members: set[bytes] | None) -> None:
        """Add what a minute has; its members as hashes."""
        self.n += cell.n
        self.total += cell.total
        if cell.buckets:
            for bucket, n in cell.buckets.items():
                self.buckets[bucket] = self.buckets.get(bucket, 0) + n
        if members:
            self.members |= members

    def contents(self) -> Contents:
        """The window as it is if nothing else was added to it."""
        return Contents(len(self.members) or self.n, self.total, dict(self.buckets), frozenset(self.members))


TenantDeltas: TypeAlias = dict[WindowKey, Delta]
Deltas: TypeAlias = dict[TenantId, TenantDeltas]
_Minutes: TypeAlias = list[tuple[int, Cell]]
ZoneOf: TypeAlias = Callable[[TenantId], ZoneInfo]
"""The zone by whose calendar a tenant's days begin."""


class WindowLibrary:
    """Knows the metrics and the calendars; remembers nothing of events."""

    def __init__(self, metrics: Iterable[Metric], zone_of: ZoneOf) -> None:
        self._zone_of = zone_of
        self._calendar = Calendar()
        self._reader = CellReader(metrics)

    def deltas_of(self, happenings: Iterable[Happening]) -> Deltas:
        """What these events add, each of them counted once; totals over all tenants are there under the tenant PLATFORM."""
        found: Deltas = {}
        for metric, cells in self._reader.cells_of(happenings):
            for (tenant_id, group), of_group in _by_group(cells).items():
                if tenant_id != PLATFORM:
                    self._spread(found, tenant_id, metric, group, of_group)
                self._spread(found, PLATFORM, metric, group, of_group)
        return found

    def _spread(self, found: Deltas, tenant_id: TenantId, metric: Metric, group: Hashable, cells: _Minutes) -> None:
        """Add the cells of a group to all windows that they belong to."""
        deltas, zone = found.setdefault(tenant_id, {}), self._zone_of(tenant_id)
        series = [dimensions_of(metric, group, grouping) for grouping in metric.groupings_of(tenant_id)]
        for second, cell in cells:
            members = {member_hash(tenant_id, metric.name, member) for member in cell.members} if cell.members else None
            for span, window in self._calendar.windows_of(metric.spans, zone, second):
                for dimensions in series:
                    key = WindowKey(metric.name, dimensions, span, window.start)
                    delta = deltas.get(key)
                    if delta is None:
                        delta = deltas[key] = Delta(window.end)
                    delta.add(cell, members)


def _by_group(cells: Cells) -> dict[tuple[TenantId, Hashable], _Minutes]:
    found: dict[tuple[TenantId, Hashable], _Minutes] = defaultdict(list)
    for (tenant_id, group, second), cell in cells.items():
        found[tenant_id, group].append((second, cell))
    return found


def dimensions_of(metric: Metric, group: Hashable, grouping: Grouping) -> str:
    """The series that a group belongs to: a JSON object with sorted keys."""
    if not grouping:
        return "{}"
    values = dict(zip(metric.dimensions, group if isinstance(group, tuple) else (group,), strict=True))
    return orjson.dumps({name: values[name] for name in grouping}, option=orjson.OPT_SORT_KEYS).decode()


def member_hash(tenant_id: TenantId, metric: str, member: UUID) -> bytes:
    """What stands for a member: the same in all windows of a metric, so that they can be merged, and only there."""
    key = tenant_id.bytes + blake2b(metric.encode(), digest_size=16).digest()
    return blake2b(member.bytes, digest_size=16, key=key).digest()
