"""Who may follow changes, and what of them: limits and filters of streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.domain.readers import Reader
from service_kit.errors import Problem

MOST_WAITING = 1_000
"""Windows that may wait for one reader; whoever is further behind reads the series anew, which is less work for both."""


class TooManyStreams(Problem):
    """The person, or the process, has as many open streams as it may."""

    slug, status, title = "too-many-streams", 429, "There are too many open streams"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"Retry-After": "10"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which metrics and steps changes are wanted, as far as the reader may see them; no steps stand for all."""

    reader: Reader
    metrics: frozenset[str]
    steps: frozenset[str] = field(default_factory=frozenset)

    def takes(self, metric: str, step: str, dimensions: Mapping[str, str]) -> bool:
        """Whether a change of this window is one of them."""
        if metric not in self.metrics or (self.steps and step not in self.steps):
            return False
        return self.reader.may_see(dimensions)
