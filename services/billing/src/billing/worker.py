"""Composition root of the worker: settings in, wired Faust app out."""

from __future__ import annotations

import faust

from billing.agents import billing_of, register_agents
from billing.settings import Settings
from billing.use_cases.visits import CONSUMER
from service_kit.dead_letters import DeadLetters
from service_kit.faust_app import create_faust_app
from service_kit.worker_database import units_of_work


def create_worker(settings: Settings) -> faust.App:
    """The worker that bills visits."""
    app = create_faust_app(settings, app_id=CONSUMER)
    parker = DeadLetters(settings.kafka, CONSUMER)
    register_agents(app, billing_of(units_of_work(app, settings), parker))
    return app
