"""The model that serves: another takes its place at once or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ml_scoring.clients.model_registry import ModelRegistry, Progress
from ml_scoring.domain.models import ModelIdentity, ModelReference, ModelStoreAway, NoModelYet
from ml_scoring.model.risk_model import RiskModel
from service_kit import logs

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
Pause = Callable[[float], Awaitable[None]]
log = logs.get_logger(__name__)


class LiveModel:
    """Holds the one model that scores now; what is being scored meanwhile ends with the model that it began with."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._model: RiskModel | None = None
        self._switching = asyncio.Lock()

    @property
    def identity(self) -> ModelIdentity | None:
        """Which model serves; None before the first one is loaded."""
        return self._model.identity if self._model else None

    def current(self) -> RiskModel:
        """The model to score with; raises NoModelYet."""
        if self._model is None:
            raise NoModelYet
        return self._model

    async def switch(self, reference: ModelReference) -> ModelIdentity:
        """Load a model beside the one that serves, check it and put it in its place.

        Raises UnknownModel, ModelUnusable or ModelStoreAway and changes nothing. A model that serves already is not loaded again.
        """
        async with self._switching:
            if self._model is None or not is_the_one(self._model.identity, reference):
                package = await self._registry.open(reference)
                self._model = await asyncio.to_thread(RiskModel, package)
                identity = self._model.identity
                log.info("model.live", model=str(reference), seal=identity.seal, model_hash=identity.model_hash)
            return self._model.identity

    async def start(self, reference: ModelReference, *, pause: Pause = asyncio.sleep) -> ModelIdentity:
        """Load the first model, however long its store is away; raises UnknownModel or ModelUnusable."""
        seconds = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self.switch(reference)
            except ModelStoreAway as error:
                log.warning("model.store-away", model=str(reference), reason=error.detail, next_try_seconds=seconds)
                await pause(seconds)
                seconds = min(seconds * 2, LONGEST_PAUSE_SECONDS)


def is_the_one(identity: ModelIdentity, reference: ModelReference) -> bool:
    """Whether a reference, pinned or not, names this model."""
    return (identity.name, identity.version) == (reference.name, reference.version) and reference.seal in {None, identity.seal}


def log_progress(progress: Progress) -> None:
    """One line per tenth of a download."""
    log.info("model.arriving", model=str(progress.reference), percent=progress.percent, bytes_total=progress.bytes_total)
