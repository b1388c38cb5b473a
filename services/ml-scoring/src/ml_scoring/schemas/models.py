"""Bodies of models: what the store holds and which one serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from ml_scoring.clients.model_registry import ModelDescription
from ml_scoring.domain.live_models import ChosenModel
from ml_scoring.domain.models import ModelIdentity, ModelReference
from ml_scoring.schemas.fields import Response
from ml_scoring.use_cases.live_models import LiveModels

_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_NAMED: JsonDict = {"name": "risk-minilm-l6", "version": "1"}
_LIVE: JsonDict = {**_NAMED, "seal": _HASH}


class NamedModel(Response):
    """A model of the store."""

    name: str
    version: str

    @classmethod
    def of(cls, reference: ModelReference) -> Self:
        return cls(name=reference.name, version=reference.version)


class LiveModelResponse(NamedModel):
    """The model that scores for the organisation in the process that answers."""

    seal: str = Field(description="SHA-256 of its config.json, which holds the hashes of all its files.")

    @classmethod
    def of_identity(cls, identity: ModelIdentity) -> Self:
        return cls(name=identity.name, version=identity.version, seal=identity.seal)


class ChosenModelResponse(LiveModelResponse):
    """The model that the organisation chose last."""

    activated_by: UUID
    activated_at: datetime
    refused_reason: str | None = Field(description="Why a worker could not load it; that one scores with what it had before.")
    refused_at: datetime | None

    @classmethod
    def of_choice(cls, chosen: ChosenModel) -> Self:
        refusal = chosen.refusal
        return cls(
            name=chosen.reference.name,
            version=chosen.reference.version,
            seal=chosen.reference.seal or "",
            activated_by=chosen.activated_by,
            activated_at=chosen.activated_at,
            refused_reason=refusal.reason if refusal else None,
            refused_at=refusal.refused_at if refusal else None,
        )


class ModelsResponse(Response):
    """The models of the store, broken ones too, the one that serves, and the one that was chosen, if any was."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [_NAMED], "live": _LIVE, "chosen": None}]})

    models: list[NamedModel]
    live: LiveModelResponse
    chosen: ChosenModelResponse | None = Field(description="Null while the platform's own model serves.")

    @classmethod
    def of(cls, references: Sequence[ModelReference], live: LiveModels) -> Self:
        return cls(
            models=[NamedModel.of(reference) for reference in references],
            live=LiveModelResponse.of_identity(live.serving),
            chosen=ChosenModelResponse.of_choice(live.chosen) if live.chosen else None,
        )


class ThresholdsResponse(Response):
    """From which probability of `Suicidal` on a text has each level."""

    moderate: float
    high: float
    critical: float


class ModelCardResponse(LiveModelResponse):
    """One model with its card."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_LIVE,
                    "modelHash": _HASH,
                    "tokenizerHash": _HASH,
                    "thresholds": {"moderate": 0.2, "high": 0.5, "critical": 0.9},
                    "isLive": True,
                    "card": "# risk-minilm-l6",
                }
            ]
        }
    )

    model_hash: str = Field(description="SHA-256 of its weights.")
    tokenizer_hash: str = Field(description="SHA-256 of its tokenizer.")
    thresholds: ThresholdsResponse
    is_live: bool = Field(description="Whether it scores for the organisation now.")
    card: str = Field(description="The model card, in Markdown.")

    @classmethod
    def of_description(cls, described: ModelDescription, live: LiveModels) -> Self:
        model = described.identity
        levels = model.thresholds
        return cls(
            name=model.name,
            version=model.version,
            seal=model.seal,
            model_hash=model.model_hash,
            tokenizer_hash=model.tokenizer_hash,
            thresholds=ThresholdsResponse(moderate=levels.moderate, high=levels.high, critical=levels.critical),
            is_live=model == live.serving,
            card=described.card,
        )
