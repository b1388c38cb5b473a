"""Routes of models: their cards, and which one serves."""

from __future__ import annotations

from fastapi import APIRouter

from ml_scoring.dependencies import Administrator, Named, Now, Registry, Shelf, Staff, Uow
from ml_scoring.domain.models import ModelStoreAway, ModelUnusable, NoModelYet, UnknownModel
from ml_scoring.schemas.models import ChosenModelResponse, ModelCardResponse, ModelsResponse
from ml_scoring.use_cases import live_models as use_cases
from service_kit.errors import Forbidden
from service_kit.problems import problem_responses

models = APIRouter(prefix="/api/models", tags=["models"])


@models.get("", responses=problem_responses(Forbidden, NoModelYet, ModelStoreAway))
async def list_models(_caller: Staff, uow: Uow, shelf: Shelf, registry: Registry) -> ModelsResponse:
    """Every model of the store, and which one scores for the organisation."""
    return ModelsResponse.of(await use_cases.list_models(registry), await use_cases.get_live(uow, shelf))


@models.get("/{name}/{version}", responses=problem_responses(Forbidden, UnknownModel, ModelUnusable, NoModelYet, ModelStoreAway))
async def get_model(reference: Named, _caller: Staff, uow: Uow, shelf: Shelf, registry: Registry) -> ModelCardResponse:
    """A model with its hashes, thresholds and card."""
    described = await use_cases.describe_model(registry, reference)
    return ModelCardResponse.of_description(described, await use_cases.get_live(uow, shelf))


@models.post("/{name}/{version}/activate", responses=problem_responses(Forbidden, UnknownModel, ModelUnusable, ModelStoreAway))
async def activate_model(reference: Named, caller: Administrator, uow: Uow, shelf: Shelf, now: Now) -> ChosenModelResponse:
    """Has the organisation's messages scored by this model from now on, for administrators.

    It is loaded and checked first: a broken one is refused with the reason and changes nothing. Workers follow within seconds
    and lose no message over it.
    """
    chosen = await use_cases.activate_model(uow, shelf, reference, activated_by=caller.subject, now=now)
    return ChosenModelResponse.of_choice(chosen)
