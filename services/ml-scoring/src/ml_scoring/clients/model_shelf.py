"""Every model that scores for somebody: the default one, and those that organisations chose.

A model that is chosen is loaded beside the others and takes its place at once or not at all: whoever chose one that cannot be
loaded is served by what served before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bloom_events.ids import TenantId
from ml_scoring.clients import meters
from ml_scoring.clients.live_model import LiveModel, log_progress
from ml_scoring.clients.model_registry import ModelRegistry, Progress
from ml_scoring.domain.limits import PoolShape
from ml_scoring.domain.live_models import Choice
from ml_scoring.domain.models import ModelIdentity, ModelReference, ModelStoreAway, ModelUnusable, NoModelYet, UnknownModel
from ml_scoring.model import ScoringPool
from service_kit import logs
from service_kit.errors import Problem
from service_kit.health import Check

MOST_MODELS = 4
"""How many models a process holds at a time: XLM-RoBERTa base takes some 300 MB in int8."""

RETRY_SECONDS = 30.0
"""How long a model that could not be loaded is left alone."""

log = logs.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A loaded model with its threads."""

    identity: ModelIdentity
    pool: ScoringPool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an organisation's choice: the reason for which it could not be loaded, or None once it could after all."""

    tenant_id: TenantId
    choice: Choice
    reason: str | None


class Arrival:
    """Hears how much of a model has arrived, for the log, the metrics and the readiness check."""

    def __init__(self) -> None:
        self.percent: int | None = None

    def __call__(self, progress: Progress) -> None:
        """Called on a thread of the registry's."""
        self.percent = progress.percent
        meters.MODEL_LOAD_PERCENT.set(progress.percent)
        log_progress(progress)


class ModelShelf:
    """Belongs to one event loop; `start` once, then `follow` whenever choices may have changed."""

    def __init__(
        self,
        registry: ModelRegistry,
        default: ModelReference,
        *,
        shape: PoolShape,
        most: int = MOST_MODELS,
        retry_seconds: float = RETRY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._wanted = default
        self._shape = shape
        self._most = most
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._starting = asyncio.Lock()
        self._default: Serving | None = None
        self._loaded: dict[ModelReference, Serving] = {}
        self._serving: dict[TenantId, Serving] = {}
        self._retry_at: dict[tuple[TenantId, int], float] = {}
        self.trouble: str | None = None

    async def start(self) -> None:
        """Return once the default model serves, however long that takes: a store may come back, a broken model be mended."""
        async with self._starting:
            while self._default is None:
                live = LiveModel(self._registry)
                try:
                    self._default = self._put(await live.start(self._wanted), live)
                except (UnknownModel, ModelUnusable) as error:
                    self.trouble = self._refused(self._wanted, error)
                    await asyncio.sleep(self._retry_seconds)
            self.trouble = None

    @property
    def is_ready(self) -> bool:
        """Whether the default model serves."""
        return self._default is not None

    @property
    def default(self) -> Serving:
        """What serves whoever chose nothing; raises NoModelYet."""
        if self._default is None:
            raise NoModelYet
        return self._default

    def serving(self, tenant_id: TenantId) -> Serving:
        """What scores for an organisation now; raises NoModelYet."""
        return self._serving.get(tenant_id) or self.default

    async def check(self, reference: ModelReference) -> ModelIdentity:
        """Load a model as if it were to serve and let it go again; raises UnknownModel, ModelUnusable or ModelStoreAway."""
        for loaded in self._loaded.values():
            if reference.seal is not None and loaded.identity.reference == reference:
                return loaded.identity
        return await LiveModel(self._registry).switch(reference)

    async def follow(self, choices: Mapping[TenantId, Choice]) -> list[Outcome]:
        """Load what was chosen anew and let go of what nobody chose any more; gives what was refused, or is no longer."""
        found = [await self._follow_one(tenant_id, choice) for tenant_id, choice in choices.items()]
        for gone in self._serving.keys() - choices.keys():
            del self._serving[gone]
        self._let_go()
        return [outcome for outcome in found if outcome is not None]

    def close(self) -> None:
        """End the threads of every model."""
        for loaded in self._loaded.values():
            loaded.pool.close()

    async def _follow_one(self, tenant_id: TenantId, choice: Choice) -> Outcome | None:
        serving, turn = self._serving.get(tenant_id), (tenant_id, choice.revision)
        if serving is not None and serving.identity.reference == choice.reference:
            return None
        if self._clock() < self._retry_at.get(turn, 0.0):
            return None
        try:
            self._serving[tenant_id] = await self._load(choice.reference)
        except (ModelUnusable, UnknownModel, ModelStoreAway) as error:
            self._retry_at[turn] = self._clock() + self._retry_seconds
            return Outcome(tenant_id, choice, self._refused(choice.reference, error))
        return Outcome(tenant_id, choice, None) if self._retry_at.pop(turn, None) is not None else None

    async def _load(self, reference: ModelReference) -> Serving:
        if reference in self._loaded:
            return self._loaded[reference]
        self._let_go()
        if len(self._loaded) >= self._most:
            raise ModelUnusable(f"This process holds {self._most} models already.")
        live = LiveModel(self._registry)
        return self._put(await live.switch(reference), live)

    @staticmethod
    def _refused(reference: ModelReference, error: Problem) -> str:
        reason = error.detail or error.title
        meters.MODEL_REFUSALS.labels(error.slug).inc()
        log.error("model.refused", model=str(reference), reason=reason)
        return reason

    def _put(self, identity: ModelIdentity, live: LiveModel) -> Serving:
        pool = ScoringPool(live.current, threads=self._shape.threads, queue_limit=self._shape.queue_limit)
        made = self._loaded[identity.reference] = Serving(identity, pool)
        meters.MODELS_LOADED.labels(identity.name, identity.version).set(1)
        return made

    def _let_go(self) -> None:
        """Drop what serves nobody; a batch that still scores with it ends with it."""
        used = {id(serving) for serving in (self._default, *self._serving.values())}
        for reference, loaded in list(self._loaded.items()):
            if id(loaded) not in used and not loaded.pool.inside:
                loaded.pool.close()
                del self._loaded[reference]
                meters.MODELS_LOADED.labels(loaded.identity.name, loaded.identity.version).set(0)


def readiness(shelf: ModelShelf, arrival: Arrival) -> Check:
    """Ready with a model that serves; until then it says how far the model has come, or what is wrong with it."""

    async def model() -> str | None:
        if shelf.is_ready:
            return None
        if shelf.trouble is not None:
            return f"the model is refused: {shelf.trouble}"
        return "the model is being loaded" if arrival.percent is None else f"{arrival.percent} % of the model has arrived"

    return model
