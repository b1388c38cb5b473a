"""Composition root of the API: settings in, wired app out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bloom_events.ids import TenantId, new_id
from ml_scoring.clients.model_registry import ModelRegistry
from ml_scoring.clients.model_shelf import Arrival, ModelShelf, readiness
from ml_scoring.routes.analyses import analyses
from ml_scoring.routes.models import models
from ml_scoring.routes.predictions import predictions
from ml_scoring.settings import Settings
from ml_scoring.use_cases.live_models import follow_choices
from service_kit.errors import ServiceUnavailable
from service_kit.http_app import create_service_app
from service_kit.logs import describe_exception, get_logger
from service_kit.object_store.opening import open_store
from service_kit.object_store.port import StoreAccess
from service_kit.request_scope import Kit
from service_kit.unit_of_work import Context, UnitOfWork

_log = get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The API of scores, analyses and models; it answers from the start, and is ready once it has a model."""

    @asynccontextmanager
    async def open_models(app: FastAPI) -> AsyncIterator[None]:
        kit: Kit = app.state.kit
        arrival = Arrival()
        registry = _registry(settings, arrival)
        shelf = ModelShelf(registry, settings.default_model, shape=settings.predict_pool)
        kit.resources |= {"registry": registry, "shelf": shelf}
        kit.health.checks = {**kit.health.checks, "model": readiness(shelf, arrival)}
        upkeep = asyncio.create_task(_keep_up(kit, shelf, settings.model_poll_seconds))
        try:
            yield
        finally:
            upkeep.cancel()
            shelf.close()

    return create_service_app(
        settings,
        title="Bloom ml-scoring",
        description="Risk scores of messages: a triage aid under human review, never a diagnosis. All times are UTC.",
        routers=[predictions, analyses, models],
        resources=[open_models],
    )


def _registry(settings: Settings, arrival: Arrival) -> ModelRegistry:
    access = StoreAccess(settings.models_endpoint, settings.models_region, settings.models_access_key, settings.models_secret_key)
    return ModelRegistry(open_store(settings.models, access), settings.models_cache, arrival)


async def _keep_up(kit: Kit, shelf: ModelShelf, pause_seconds: float) -> None:
    """Load the default model and follow what organisations choose; while the database is away what is there goes on serving."""

    async def unit_of(tenant_id: TenantId) -> UnitOfWork:
        if kit.database is None:
            raise ServiceUnavailable
        return UnitOfWork(kit.database, source=kit.settings.source, context=Context(tenant_id, new_id()), clock=kit.clock)

    await shelf.start()
    while True:
        try:
            if kit.database is not None:
                await follow_choices(kit.database, shelf, unit_of, now=kit.clock())
        except Exception as error:
            # Any failure is tried again in the next round, and must not end the rounds.
            _log.warning("models.not_followed", failure=describe_exception(error))
        await asyncio.sleep(pause_seconds)
