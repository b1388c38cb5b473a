"""Composition root of the worker: settings in, wired Faust app out."""

from __future__ import annotations

import faust

from messaging.agents import GetWaker, following_others, register_agents
from messaging.clients.wake import Waker
from messaging.settings import Settings
from messaging.use_cases.following import CONSUMER
from service_kit.dead_letters import DeadLetters
from service_kit.faust_app import create_faust_app
from service_kit.worker_database import units_of_work


def create_worker(settings: Settings) -> faust.App:
    """The worker that follows people, sessions, appointments and alerts."""
    app = create_faust_app(settings, app_id=CONSUMER)
    parker = DeadLetters(settings.kafka, CONSUMER)
    register_agents(app, following_others(units_of_work(app, settings), _one_waker(app, settings), parker))
    return app


def _one_waker(app: faust.App, settings: Settings) -> GetWaker:
    """The worker's waker, made when it is first needed and closed when the worker stops."""
    made: list[Waker] = []

    async def waker() -> Waker:
        if not made:
            made.append(Waker(settings.valkey_url))
            await app.add_async_context(made[0])
        return made[0]

    return waker
