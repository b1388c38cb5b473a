"""How values spread: counts in buckets of 1 % relative accuracy, by the mapping and the ranks of DDSketch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddsketch.mapping import LogarithmicMapping

RELATIVE_ACCURACY = 0.01

ZERO = -(2**31)
"""The bucket of zero, below all others; the lowest number that PostgreSQL's int holds."""

_MAPPING: Any = LogarithmicMapping(RELATIVE_ACCURACY)


def bucket_of(value: float) -> int:
    """The bucket of a value; raises ValueError for negative ones and for what is no number."""
    if not 0.0 <= value <= _MAPPING.max_possible:
        raise ValueError("only values from 0 up have a bucket")
    return ZERO if value < _MAPPING.min_possible else int(_MAPPING.key(value))


def value_of(bucket: int) -> float:
    """The value that stands for a bucket: within 1 % of everything in it."""
    return 0.0 if bucket == ZERO else float(_MAPPING.value(bucket))


def quantile(buckets: Mapping[int, int], share: float) -> float:
    """The value below which this share of the values lies; raises ValueError when there are none."""
    if not buckets:
        raise ValueError("nothing was measured")
    rank = share * (sum(buckets.values()) - 1)
    below = 0
    for bucket in sorted(buckets):
        below += buckets[bucket]
        if below > rank:
            break
    return value_of(bucket)
