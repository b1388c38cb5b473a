"""Which model serves an organisation: the one that its administrators chose, or else the one that the settings name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ml_scoring.domain.models import ModelIdentity, ModelReference


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a worker could not load a chosen model; it scores with what it had before."""

    reason: str
    refused_at: datetime


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """An organisation's choice, pinned to the content that was checked; `revision` counts its choices."""

    revision: int
    reference: ModelReference
    activated_by: UUID
    activated_at: datetime
    refusal: Refusal | None = None

    @classmethod
    def choose(cls, before: ChosenModel | None, identity: ModelIdentity, *, activated_by: UUID, now: datetime) -> ChosenModel:
        """The choice after this one; choosing what is chosen already asks workers that refused it to try once more."""
        return cls(before.revision + 1 if before else 1, identity.reference, activated_by, now)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a worker has to know of an organisation's choice."""

    revision: int
    reference: ModelReference
