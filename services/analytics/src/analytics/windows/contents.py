"""What a window holds and how two parts of it become one: sums, unions, and nothing that depends on an order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.domain.metric import Aggregate, Metric
from analytics.windows.sketch import quantile
from bloom_events.analytics import Percentiles

# JSON keeps whole numbers exactly up to here; sums beyond are left out rather than told wrongly.
_LARGEST_TOLD = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Contents:
    """The numbers of one window; which of them count is the aggregate's matter."""

    n: int = 0
    total: int = 0
    buckets: Mapping[int, int] = field(default_factory=dict)
    members: frozenset[bytes] = frozenset()

    def __add__(self, other: Contents) -> Contents:
        """Both together; members that both have count once."""
        members = self.members | other.members
        return Contents(
            len(members) if members else self.n + other.n,
            self.total + other.total,
            dict(Counter(self.buckets) + Counter(other.buckets)),
            members,
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What may be said of a window."""

    count: int | None
    total: int | None = None
    percentiles: Percentiles | None = None
    is_suppressed: bool = False


def told(metric: Metric, contents: Contents) -> Told:
    """What is said of a window of this metric; of a group that is too small only that it is."""
    if contents.n < metric.smallest_group:
        return Told(None, is_suppressed=True)
    return Told(contents.n, _total(metric, contents), _percentiles(metric, contents))


def _total(metric: Metric, contents: Contents) -> int | None:
    if metric.aggregate not in (Aggregate.SUM, Aggregate.SHARE) or abs(contents.total) > _LARGEST_TOLD:
        return None
    return contents.total


def _percentiles(metric: Metric, contents: Contents) -> Percentiles | None:
    if metric.aggregate is not Aggregate.PERCENTILES or not contents.buckets:
        return None
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    return Percentiles(**{name: quantile(contents.buckets, share) for name, share in shares.items()})
