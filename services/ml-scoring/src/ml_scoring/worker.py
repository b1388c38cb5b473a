"""Composition root of the worker: settings in, wired Faust app out."""

from __future__ import annotations

import faust

from ml_scoring.agents import conversations_of, messages_of, models_chore, parking, register_agents, waiting_chore
from ml_scoring.clients.conversation_keys import ConversationKeys, FetchKey, Key, KeyId, MessagingKeys
from ml_scoring.clients.model_registry import ModelRegistry
from ml_scoring.clients.model_shelf import Arrival, ModelShelf, readiness
from ml_scoring.settings import Settings
from ml_scoring.use_cases.scoring import CONSUMER, FAILPOINTS, ScoringTools
from service_kit.chores import add_chore
from service_kit.dead_letters import DeadLetters
from service_kit.failpoints import armed_by
from service_kit.faust_app import add_checks, before_start, create_faust_app, when_partitions_go
from service_kit.object_store.opening import open_store
from service_kit.object_store.port import StoreAccess
from service_kit.service_tokens import ServiceTokenSigner
from service_kit.worker_database import WorkerDatabase


def create_worker(settings: Settings) -> faust.App:
    """The worker that scores messages; it asks for partitions once it has a model."""
    app = create_faust_app(settings, app_id=CONSUMER)
    database = WorkerDatabase(app, settings)
    parker = DeadLetters(settings.kafka, CONSUMER)
    arrival = Arrival()
    access = StoreAccess(settings.models_endpoint, settings.models_region, settings.models_access_key, settings.models_secret_key)
    registry = ModelRegistry(open_store(settings.models, access), settings.models_cache, arrival)
    shelf = ModelShelf(registry, settings.default_model, shape=settings.worker_pool)
    keys = ConversationKeys(_ask_messaging(app, settings), settings.keys)
    tools = ScoringTools(
        keys=keys,
        shelf=shelf,
        pool=database.pool,
        unit_of=database.unit_of,
        park=parking(parker),
        failpoint=armed_by("ML_SCORING_FAILPOINT", FAILPOINTS, environment=settings.environment),
    )
    trying = waiting_chore(tools)
    messages = messages_of(tools, parker, trying.due_at, batch_size=settings.batch_size)
    register_agents(app, messages, conversations_of(tools, database.unit_for, parker, trying.due_at))
    add_chore(app, trying)
    add_chore(app, models_chore(tools, poll_seconds=settings.model_poll_seconds))
    before_start(app, shelf.start)
    add_checks(app, {"model": readiness(shelf, arrival)})
    when_partitions_go(app, keys.forget_all)
    return app


def _ask_messaging(app: faust.App, settings: Settings) -> FetchKey:
    if settings.messaging_url is None or settings.service_key is None:
        raise SystemExit("ML_SCORING_MESSAGING_URL and ML_SCORING_SERVICE_KEY have to be set: messages are sealed")
    signer = ServiceTokenSigner(settings.service_name, settings.service_key)
    messaging = MessagingKeys(settings.messaging_url, signer, timeout_seconds=settings.key_timeout_seconds)
    opened = False

    async def fetch(wanted: KeyId) -> Key:
        nonlocal opened
        if not opened:
            opened = True
            await app.add_async_context(messaging)
        return await messaging.fetch(wanted)

    return fetch
