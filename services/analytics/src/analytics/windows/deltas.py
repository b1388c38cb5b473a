"""What events add to windows: deltas that add up to the same whatever the order and the split of the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from analytics.domain.metric import PLATFORM, Grouping, Metric
from analytics.domain.spans import Window
from analytics.windows.calendars import Calendar
from analytics.windows.cells import Cell, CellKey, CellReader, Dimensions
from analytics.windows.contents import Contents
from bloom_events.envelope import Envelope
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

    def contents(self) -> Contents:
        """The window as it is if nothing else was added to it."""
        return Contents(len(self.members) or self.n, self.total, dict(self.buckets), frozenset(self.members))


TenantDeltas: TypeAlias = dict[WindowKey, Delta]
Deltas: TypeAlias = dict[TenantId, TenantDeltas]
ZoneOf: TypeAlias = Callable[[TenantId], ZoneInfo]
"""The zone by whose calendar a tenant's days begin."""


class WindowLibrary:
    """Knows the metrics and the calendars; remembers nothing of events."""

    def __init__(self, metrics: Iterable[Metric], zone_of: ZoneOf) -> None:
        self._zone_of = zone_of
        self._calendar = Calendar()
        self._reader = CellReader(metrics)

    def deltas_of(self, envelopes: Iterable[Envelope[Any]]) -> Deltas:
        """What these events add, each of them counted once; totals over all tenants are there under the tenant PLATFORM."""
        deltas: Deltas = {}
        for metric, cells in self._reader.cells_of(envelopes):
            for key, cell in cells.items():
                if key.tenant_id != PLATFORM:
                    self._spread(deltas, key.tenant_id, metric, key, cell)
                self._spread(deltas, PLATFORM, metric, key, cell)
        return deltas

    def _spread(self, found: Deltas, tenant_id: TenantId, metric: Metric, key: CellKey, cell: Cell) -> None:
        """Add a cell to all windows that it belongs to."""
        deltas = found.get(tenant_id)
        if deltas is None:
            deltas = found[tenant_id] = {}
        members = {member_hash(tenant_id, metric.name, member) for member in cell.members} if cell.members else None
        windows = self._windows_of(metric, self._zone_of(tenant_id), key.second)
        for grouping in metric.groupings_of(tenant_id):
            dimensions = group_of(key.dimensions, grouping)
            for span, window in windows:
                window_key = WindowKey(metric.name, dimensions, span, window.start)
                delta = deltas.get(window_key)
                if delta is None:
                    delta = deltas[window_key] = Delta(window.end)
                delta.n += cell.n
                delta.total += cell.total
                for bucket, n in cell.buckets.items():
                    delta.buckets[bucket] = delta.buckets.get(bucket, 0) + n
                if members:
                    delta.members |= members

    def _windows_of(self, metric: Metric, zone: ZoneInfo, second: int) -> tuple[tuple[str, Window], ...]:
        return self._calendar.windows_of(metric.spans, zone, second)


@lru_cache(maxsize=50_000)
def group_of(dimensions: Dimensions, grouping: Grouping) -> str:
    """The group that these dimensions belong to, as a series has it."""
    values = dict(dimensions)
    return orjson.dumps({name: values[name] for name in grouping}, option=orjson.OPT_SORT_KEYS).decode()


def member_hash(tenant_id: TenantId, metric: str, member: UUID) -> bytes:
    """What stands for a member: the same in all windows of a metric, so that they can be merged, and only there."""
    key = tenant_id.bytes + blake2b(metric.encode(), digest_size=16).digest()
    return blake2b(member.bytes, digest_size=16, key=key).digest()
