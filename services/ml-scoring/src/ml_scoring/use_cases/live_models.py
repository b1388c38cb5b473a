"""Which model serves: what the store holds, what an organisation chose, and how processes follow that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bloom_events.ids import TenantId
from ml_scoring.clients.model_registry import ModelDescription, ModelRegistry
from ml_scoring.clients.model_shelf import ModelShelf
from ml_scoring.domain.live_models import ChosenModel
from ml_scoring.domain.models import ModelIdentity, ModelReference
from ml_scoring.repository.live_models import LiveModelRepository, chosen_models
from service_kit.database import Pool
from service_kit.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class LiveModels:
    """What an organisation chose, if anything, and what serves it in this process."""

    chosen: ChosenModel | None
    serving: ModelIdentity


async def get_live(uow: UnitOfWork, shelf: ModelShelf) -> LiveModels:
    """Which model serves the organisation; raises NoModelYet."""
    async with uow.begin() as transaction:
        chosen = await LiveModelRepository(transaction.connection).find()
        return LiveModels(chosen, shelf.serving(transaction.tenant_id).identity)


async def list_models(registry: ModelRegistry) -> list[ModelReference]:
    """Every model of the store, broken ones too."""
    return await registry.list_models()


async def describe_model(registry: ModelRegistry, reference: ModelReference) -> ModelDescription:
    """A model's identity, thresholds and card."""
    return await registry.describe(reference)


async def activate_model(
    uow: UnitOfWork, shelf: ModelShelf, reference: ModelReference, *, activated_by: UUID, now: datetime
) -> ChosenModel:
    """Choose a model for the organisation, after loading it here as a worker would; a broken one changes nothing."""
    identity = await shelf.check(reference)
    async with uow.begin() as transaction:
        repository = LiveModelRepository(transaction.connection)
        chosen = ChosenModel.choose(await repository.lock(), identity, activated_by=activated_by, now=now)
        await repository.save(chosen)
    return chosen


async def follow_choices(
    pool: Pool, shelf: ModelShelf, unit_of: Callable[[TenantId], Awaitable[UnitOfWork]], *, now: datetime
) -> None:
    """Have this process score with what was chosen, and note for all to see what it could not load."""
    for outcome in await shelf.follow(await chosen_models(pool)):
        unit = await unit_of(outcome.tenant_id)
        async with unit.begin() as transaction:
            await LiveModelRepository(transaction.connection).refuse(outcome.choice.revision, outcome.reason, now)
