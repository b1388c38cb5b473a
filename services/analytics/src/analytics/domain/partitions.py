"""How far each partition was read, and up to which moment nothing is missing any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from analytics.domain.metric import Metric
from bloom_events.topics import Topic


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one partition: the next record, the latest time of an event, when records came last, when none were left."""

    next_offset: int = 0
    watermark: datetime | None = None
    active_at: datetime | None = None
    caught_up_at: datetime | None = None

    def watermark_at(self, idle: timedelta) -> datetime | None:
        """Up to when nothing is missing; None if nothing can be said.

        Silence counts only while a worker says that there is nothing to read: a worker that is away is no silence.
        """
        watermark = self.watermark
        if watermark is None and self.active_at is not None:
            # All its events were too far in the future: a broken clock must not hold back the windows of all others.
            watermark = self.active_at - idle
        if self.caught_up_at is not None and (self.active_at is None or self.caught_up_at - self.active_at >= idle):
            quiet = self.caught_up_at - idle
            return quiet if watermark is None else max(watermark, quiet)
        return watermark


def topics_of(metric: Metric) -> frozenset[Topic]:
    """The topics whose events a metric reads."""
    return frozenset(kind.TOPIC for kind in metric.reads)


def watermark_of(metric: Metric, progress: Mapping[Place, Progress], idle: timedelta) -> datetime | None:
    """Up to when a metric has read everything that was in time; None until every partition of its topics was looked at."""
    watermarks = [_watermark_of_topic(topic, progress, idle) for topic in topics_of(metric)]
    return min((each for each in watermarks if each is not None), default=None) if None not in watermarks else None


def _watermark_of_topic(topic: Topic, progress: Mapping[Place, Progress], idle: timedelta) -> datetime | None:
    found = [each.watermark_at(idle) for place, each in progress.items() if place.topic == topic.name]
    if len(found) < topic.partitions or None in found:
        return None
    return min(each for each in found if each is not None)


def watermarks_of(metrics: Iterable[Metric], progress: Mapping[Place, Progress], idle: timedelta) -> dict[str, datetime]:
    """The watermarks of the metrics that have one, by name."""
    found = {metric.name: watermark_of(metric, progress, idle) for metric in metrics}
    return {name: watermark for name, watermark in found.items() if watermark is not None}


def latest_in_clock(times: Collection[datetime], latest_allowed: datetime) -> datetime | None:
    """The latest of these times that is not too far in the future."""
    return max((time for time in times if time <= latest_allowed), default=None)
