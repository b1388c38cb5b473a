"""Composition root of the worker: settings in, wired Faust app out."""

from __future__ import annotations

import faust

from appointments.agents import following_accounts, register_agents
from appointments.settings import Settings
from appointments.use_cases.accounts import CONSUMER
from service_kit.dead_letters import DeadLetters
from service_kit.faust_app import create_faust_app
from service_kit.worker_database import units_of_work


def create_worker(settings: Settings) -> faust.App:
    """The worker that keeps the therapist directory in step with auth's accounts."""
    app = create_faust_app(settings, app_id=CONSUMER)
    parker = DeadLetters(settings.kafka, CONSUMER)
    register_agents(app, following_accounts(units_of_work(app, settings), parker))
    return app
