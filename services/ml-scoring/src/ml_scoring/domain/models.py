"""Models: how one is named, exactly which one it is, and from which probability on a text is urgent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from bloom_events.risk import RiskLevel
from service_kit.errors import NotFound, Problem, ServiceUnavailable

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which probability of `Suicidal` on a text is moderate, high and critical; they come with the model."""

    moderate: float
    high: float
    critical: float

    def __post_init__(self) -> None:
        if not 0 < self.moderate < self.high < self.critical < 1:
            raise ValueError("thresholds must rise from moderate over high to critical, between 0 and 1")

    def level_of(self, risk: float) -> RiskLevel:
        """How urgent a text with this probability of `Suicidal` is."""
        if risk >= self.critical:
            return RiskLevel.CRITICAL
        if risk >= self.high:
            return RiskLevel.HIGH
        return RiskLevel.MODERATE if risk >= self.moderate else RiskLevel.LOW


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Which model: `name/version`, or `name/version@<sha256 of its config.json>` where exactly that content is meant."""

    name: str
    version: str
    seal: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not _NAME.fullmatch(self.version):
            raise ValueError("a model and its version are named by small letters, digits, dots and hyphens")
        if self.seal is not None and not _SHA256.fullmatch(self.seal):
            raise ValueError("a model is pinned by 64 hexadecimal digits")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name/version` or `name/version@seal`; raises ValueError for anything else."""
        path, at, seal = text.partition("@")
        name, _, version = path.partition("/")
        return cls(name, version, seal if at else None)

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Exactly which model scored: every hash is SHA-256; `seal` is that of config.json, which holds those of all other files."""

    name: str
    version: str
    model_hash: str
    tokenizer_hash: str
    seal: str
    thresholds: Thresholds

    @property
    def reference(self) -> ModelReference:
        """This model, pinned to its content."""
        return ModelReference(self.name, self.version, self.seal)


class ModelUnusable(Problem):
    """The model was refused, `detail` says why; the one that served before goes on serving."""

    slug, status, title = "model-unusable", 409, "The model cannot be used"


class UnknownModel(NotFound):
    """There is no such model or version in the store."""

    slug, status, title = "unknown-model", 404, "There is no such model"


class NoModelYet(ServiceUnavailable):
    """No model is loaded yet."""

    slug, status, title = "no-model-yet", 503, "No model is loaded yet"


class ModelStoreAway(ServiceUnavailable):
    """The store of models does not answer, or not as expected."""

    slug, status, title = "model-store-away", 503, "The store of models does not answer"
