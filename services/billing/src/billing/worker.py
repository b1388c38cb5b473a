"""Composition root of the worker: settings in, wired Faust app out."""

from __future__ import annotations

from datetime import datetime

import faust

from billing.agents import billing_of, register_agents
from billing.settings import Settings
from billing.use_cases.reconciliation import RECONCILE_SECONDS, reconcile
from billing.use_cases.visits import CONSUMER
from service_kit.chores import Chore, add_chore
from service_kit.dead_letters import DeadLetters
from service_kit.faust_app import create_faust_app
from service_kit.worker_database import WorkerDatabase


def create_worker(settings: Settings) -> faust.App:
    """The worker that bills visits, and compares the books by the clock."""
    app = create_faust_app(settings, app_id=CONSUMER)
    parker = DeadLetters(settings.kafka, CONSUMER)
    database = WorkerDatabase(app, settings)

    async def compare(_: datetime) -> None:
        await reconcile(database)

    add_chore(app, Chore("reconcile", compare, look_seconds=RECONCILE_SECONDS))
    register_agents(app, billing_of(database.unit_for, parker))
    return app
