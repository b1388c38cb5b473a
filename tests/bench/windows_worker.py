"""Analytics' worker with one metric, as a process: `python -m tests.bench.windows_worker GROUP [tells]`.

The metric is what its opponents do too: booked appointments by tenant, therapist and minute; the sums of tenants and of all come
on top, because every metric has those. Runs until it is killed; how far it is shows in its tables.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from analytics.agents import glance_of, results_chore
from analytics.domain.metric import TENANT, Aggregate, Metric, Unit, each
from analytics.domain.metrics.appointments import BY_THERAPIST
from analytics.domain.spans import MINUTE
from analytics.settings import Settings
from analytics.use_cases.counting import CONSUMER, Counting, CountingTools
from analytics.use_cases.publishing import Publishing, PublishingTools
from analytics.windows.deltas import WindowLibrary
from bloom_events.analytics import AppointmentsMeasured
from bloom_events.appointments import AppointmentBooked
from service_kit.chores import add_chore
from service_kit.consuming_fetches import FetchConsuming
from service_kit.dead_letters import DeadLetters
from service_kit.faust_app import consume_fetches, create_faust_app, run_app, when_partitions_go
from service_kit.worker_database import WorkerDatabase

METRIC = Metric(
    "appointments.booked",
    "Appointments that were booked.",
    Aggregate.COUNT,
    Unit.EVENTS,
    each(AppointmentBooked),
    spans=(MINUTE,),
    publishes=AppointmentsMeasured,
    groupings=(TENANT, BY_THERAPIST),
)


async def run(settings: Settings, group: str, *, tells: bool) -> None:
    """Count until killed; `tells`: and publish what windows come to."""
    app = create_faust_app(settings, app_id=group)
    database = WorkerDatabase(app, settings)
    counting = Counting(CountingTools(pool=database.pool, library=WindowLibrary([METRIC], settings.zone_of)))
    parker = DeadLetters(settings.kafka_bootstrap_servers, CONSUMER)
    events = FetchConsuming(CONSUMER, METRIC.reads, counting, parker, decode=glance_of)
    consume_fetches(app, events, [AppointmentBooked.TOPIC.name])
    when_partitions_go(app, counting.forget)
    if tells:
        tools = PublishingTools(
            pool=database.pool, unit_of=database.unit_of, metrics={METRIC.name: METRIC}, zone_of=settings.zone_of
        )
        add_chore(app, results_chore(app, Publishing(tools), update_seconds=settings.update_seconds))
    await run_app(app, asyncio.Event())


if __name__ == "__main__":
    uvloop.run(run(Settings(), sys.argv[1], tells=sys.argv[2:] == ["tells"]))
