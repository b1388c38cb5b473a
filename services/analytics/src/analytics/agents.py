"""Kafka in: whole fetches of every topic that a metric reads, and what the worker does by the clock beside."""

from __future__ import annotations

from datetime import datetime

import faust

from analytics.domain.metrics import METRICS
from analytics.domain.partitions import Place
from analytics.use_cases.counting import CONSUMER, Counting
from analytics.use_cases.people import KINDS as PEOPLE_KINDS
from analytics.use_cases.publishing import Publishing
from bloom_events.event import Event
from bloom_events.glances import Glance, glance
from service_kit.caught_up import caught_up_partitions
from service_kit.chores import Chore
from service_kit.consuming import Parker, Record
from service_kit.consuming_fetches import FetchConsuming
from service_kit.faust_app import consume_fetches, when_partitions_go

LISTENS_TO: tuple[type[Event], ...] = tuple(
    dict.fromkeys([*(kind for metric in METRICS.values() for kind in metric.reads), *PEOPLE_KINDS])
)


def events_of(counting: Counting, parker: Parker) -> FetchConsuming[Glance]:
    """The consumer of everything that is counted."""
    return FetchConsuming(CONSUMER, LISTENS_TO, counting, parker, decode=glance_of)


def glance_of(record: Record) -> Glance:
    """What counting reads of a record."""
    return glance(record.headers, record.value)


def register_agents(app: faust.App, counting: Counting, events: FetchConsuming[Glance]) -> None:
    """Take whole fetches of all topics; a fetch is acknowledged when all of it is in the database."""
    consume_fetches(app, events, sorted({kind.TOPIC.name for kind in LISTENS_TO}))
    when_partitions_go(app, counting.forget)


def results_chore(app: faust.App, publishing: Publishing, *, update_seconds: float) -> Chore:
    """Publishes results when they are due; while Kafka is away nothing new is known of it, and the rest goes on."""

    async def publish_due(now: datetime) -> datetime | None:
        found = caught_up_partitions(app)
        await publishing.note_caught_up({Place(tp.topic, tp.partition): at for tp, at in found.items()})
        return await publishing.publish_due(now)

    return Chore("results", publish_due, look_seconds=update_seconds)
