"""Composition root of the worker: settings in, wired Faust app out."""

from __future__ import annotations

from datetime import timedelta

import faust

from analytics.agents import events_of, register_agents, results_chore
from analytics.domain.metrics import METRICS
from analytics.settings import Settings
from analytics.use_cases.counting import CONSUMER, FAILPOINTS, Counting, CountingTools
from analytics.use_cases.publishing import Publishing, PublishingTools
from analytics.windows.deltas import WindowLibrary
from service_kit.chores import add_chore
from service_kit.dead_letters import DeadLetters
from service_kit.failpoints import armed_by
from service_kit.faust_app import create_faust_app
from service_kit.worker_database import WorkerDatabase


def create_worker(settings: Settings) -> faust.App:
    """The worker that turns events into windowed results."""
    app = create_faust_app(settings, app_id=CONSUMER)
    database = WorkerDatabase(app, settings)
    failpoint = armed_by("ANALYTICS_FAILPOINT", FAILPOINTS, environment=settings.environment)
    publishing = Publishing(
        PublishingTools(
            pool=database.pool,
            unit_of=database.unit_of,
            metrics=METRICS,
            zone_of=settings.zone_of,
            idle=timedelta(seconds=settings.idle_seconds),
            allowed_lateness=settings.allowed_lateness,
            update_every=timedelta(seconds=settings.update_seconds),
            failpoint=failpoint,
        )
    )
    results = results_chore(app, publishing, update_seconds=settings.update_seconds)
    counting = Counting(
        CountingTools(
            pool=database.pool,
            library=WindowLibrary(METRICS.values(), settings.zone_of),
            clock_drift=timedelta(seconds=settings.clock_drift_seconds),
            allowed_lateness=settings.allowed_lateness,
            acquire_seconds=settings.database_acquire_seconds,
            tell=lambda now: results.due_at(now + timedelta(seconds=settings.update_seconds)),
            failpoint=failpoint,
        )
    )
    register_agents(app, counting, events_of(counting, DeadLetters(settings.kafka, CONSUMER)))
    add_chore(app, results)
    return app
