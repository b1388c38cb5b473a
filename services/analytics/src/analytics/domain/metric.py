"""What a metric is: which events it reads, what it makes of them, over which windows and groups, and where results go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from analytics.domain.spans import Span
from bloom_events.analytics import WindowResult
from bloom_events.event import Event
from bloom_events.ids import TenantId


class Aggregate(StrEnum):
    """What a window keeps: whole numbers that add up in any order, so that nothing depends on who read what when."""

    COUNT = "count"
    """How many events there were."""
    SUM = "sum"
    """How many events, and the sum of their amounts, which may be negative."""
    SHARE = "share"
    """How many events, and how many of them the metric is about: amounts are 1 or 0."""
    DISTINCT = "distinct"
    """How many different members there were: an exact set of keyed hashes, never a sketch."""
    PERCENTILES = "percentiles"
    """How the values spread: counts in buckets of 1 % relative accuracy (DDSketch), which add up exactly."""


class Unit(StrEnum):
    """In what a metric is measured."""

    EVENTS = "events"
    PEOPLE = "people"
    SECONDS = "seconds"
    MINOR_UNITS = "minor_units"


class Happening(Protocol):
    """What a metric sees of an event: a glance, or a whole envelope."""

    @property
    def type(self) -> str:
        """The wire type."""

    @property
    def time(self) -> datetime:
        """When it happened."""

    @property
    def tenant_id(self) -> TenantId:
        """Whose it is."""

    @property
    def data(self) -> Any:
        """The event's own fields."""


class Reading(NamedTuple):
    """What one event adds to a metric; which of the fields count is the aggregate's matter."""

    amount: int = 1
    value: float | None = None
    member: UUID | None = None


Read: TypeAlias = Callable[[Happening], Reading | None]
"""Makes a reading of an event; None when it adds nothing."""

ONCE = Reading()
"""The reading of an event that just counts."""


def once(_: Happening) -> Reading:
    """Read an event as one more."""
    return ONCE


Grouping: TypeAlias = tuple[str, ...]
"""Fields of the events by whose values results are split; empty for the tenant as a whole."""

TENANT: Grouping = ()

PLATFORM = TenantId(UUID(int=0))
"""The tenant under which the totals over all tenants are kept; no account can belong to it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. The time of an event is that of its envelope."""

    name: str
    says: str
    aggregate: Aggregate
    unit: Unit
    reads: Mapping[type[Event], Read]
    spans: tuple[Span, ...]
    publishes: type[WindowResult]
    groupings: tuple[Grouping, ...] = (TENANT,)
    smallest_group: int = 1
    """Results of fewer events or people than these are suppressed."""

    def __post_init__(self) -> None:
        """Raise ValueError for what could never give a result."""
        if not (self.reads and self.spans and self.groupings):
            raise ValueError(f"{self.name} reads nothing, or gives no result")
        if any(name not in kind.model_fields for kind in self.reads for name in self.dimensions):
            raise ValueError(f"{self.name} is split by what not all of its events have")
        object.__setattr__(self, "reads", MappingProxyType(dict(self.reads)))

    @property
    def dimensions(self) -> Grouping:
        """All fields by which results are split one way or another."""
        return tuple(dict.fromkeys(name for grouping in self.groupings for name in grouping))

    @property
    def platform_groupings(self) -> tuple[Grouping, ...]:
        """By what totals over all tenants are split: by nothing, unless there is no sum without a split (over currencies)."""
        return (TENANT,) if TENANT in self.groupings else self.groupings[:1]

    def groupings_of(self, tenant_id: TenantId) -> tuple[Grouping, ...]:
        """By what the results of a tenant are split."""
        return self.platform_groupings if tenant_id == PLATFORM else self.groupings


def each(*kinds: type[Event]) -> dict[type[Event], Read]:
    """Readings that count every event of these kinds."""
    return dict.fromkeys(kinds, once)
