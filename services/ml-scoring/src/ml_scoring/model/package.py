"""A model's directory: `config.json` says what the model is and seals every other file by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from bloom_events.event import Probability
from bloom_events.risk import RiskLabel, Sha256
from ml_scoring.domain.models import ModelIdentity, ModelReference, ModelUnusable, Thresholds
from ml_scoring.model.cleaning import CLEANINGS

CONFIG, WEIGHTS, TOKENIZER, CARD = "config.json", "model.onnx", "tokenizer.json", "MODEL_CARD.md"
LONGEST_CONFIG_BYTES = 256 * 1024
LARGEST_FILE_BYTES = 2**31
"""What one ONNX file can hold; XLM-RoBERTa base in int8 has an eighth of it."""

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSeal(_Part):
    """What a file must be: its SHA-256 and its size."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=1, le=LARGEST_FILE_BYTES)]


class WindowShape(_Part):
    """How many tokens the model reads at once, its special tokens included, and how many two windows share at least."""

    tokens: Annotated[int, Field(ge=16, le=8192)]
    overlap: Annotated[int, Field(ge=0)]


class Levels(_Part):
    """The thresholds of the levels, on the probability of `Suicidal`."""

    moderate: Probability
    high: Probability
    critical: Probability


class Check(_Part):
    """A text with the probabilities that its author measured; a model that answers otherwise on this machine is refused."""

    text: Annotated[str, StringConstraints(max_length=2000)]
    probabilities: dict[RiskLabel, Probability]


class Checks(_Part):
    """The texts that are scored before a model may serve, and by how much a probability may differ."""

    tolerance: Annotated[float, Field(gt=0, le=0.5)]
    texts: Annotated[tuple[Check, ...], Field(min_length=1, max_length=32)]


class ModelConfig(_Part):
    """The config.json of a model's directory."""

    format: Literal[1]
    name: str
    version: str
    labels: tuple[RiskLabel, ...]
    cleaning: str
    least_readable: Probability
    window: WindowShape
    thresholds: Levels
    checks: Checks
    files: dict[FileName, FileSeal]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        ModelReference(self.name, self.version)
        Thresholds(**self.thresholds.model_dump())
        if sorted(self.labels) != sorted(RiskLabel):
            raise ValueError("labels must be the seven known ones, each once")
        if any(sorted(check.probabilities) != sorted(RiskLabel) for check in self.checks.texts):
            raise ValueError("a check must have a probability for each label")
        if self.cleaning not in CLEANINGS:
            raise ValueError(f"cleaning must be one of {', '.join(CLEANINGS)}")
        if self.window.overlap * 2 > self.window.tokens:
            raise ValueError("windows may share half of their tokens at most")
        if missing := {WEIGHTS, TOKENIZER, CARD} - self.files.keys():
            raise ValueError(f"files must seal {', '.join(sorted(missing))}")
        return self

    def identity(self, seal: str) -> ModelIdentity:
        return ModelIdentity(
            self.name,
            self.version,
            model_hash=self.files[WEIGHTS].sha256,
            tokenizer_hash=self.files[TOKENIZER].sha256,
            seal=seal,
            thresholds=Thresholds(**self.thresholds.model_dump()),
        )


@dataclass(frozen=True, slots=True)
class SealedConfig:
    """A config.json and its own hash."""

    config: ModelConfig
    seal: str

    @property
    def identity(self) -> ModelIdentity:
        return self.config.identity(self.seal)


def read_config(content: bytes, *, expected: ModelReference | None = None) -> SealedConfig:
    """Read a config.json; raises ModelUnusable when it is no such thing, or not that of the expected model."""
    if len(content) > LONGEST_CONFIG_BYTES:
        raise ModelUnusable(f"{CONFIG} is longer than {LONGEST_CONFIG_BYTES} bytes")
    try:
        config = ModelConfig.model_validate_json(content)
    except ValidationError as error:
        raise ModelUnusable(f"{CONFIG} is not valid: {_reasons(error)}") from None
    seal = hashlib.sha256(content).hexdigest()
    if expected is not None:
        if (config.name, config.version) != (expected.name, expected.version):
            raise ModelUnusable(f"the directory of {expected} holds {config.name}/{config.version}")
        if expected.seal not in {None, seal}:
            raise ModelUnusable(f"{CONFIG} of {expected} is not the one that was pinned")
    return SealedConfig(config, seal)


def check_file(name: str, content: bytes, seal: FileSeal) -> bytes:
    """The content itself, when it is what the config sealed; raises ModelUnusable otherwise."""
    if len(content) != seal.bytes:
        raise ModelUnusable(f"{name} has {len(content)} bytes, not {seal.bytes}")
    if hashlib.sha256(content).hexdigest() != seal.sha256:
        raise ModelUnusable(f"{name} is not the file that {CONFIG} names: its hash differs")
    return content


@dataclass(frozen=True, slots=True)
class Package:
    """A directory in memory, every file checked: what is loaded is what was checked, whatever happens to the disk meanwhile."""

    sealed: SealedConfig
    files: Mapping[str, bytes]

    @classmethod
    def read(cls, directory: Path, *, expected: ModelReference | None = None) -> Self:
        """Read and check every file of a directory; raises ModelUnusable with the reason."""
        try:
            sealed = read_config((directory / CONFIG).read_bytes(), expected=expected)
            files = {name: (directory / name).read_bytes() for name in sealed.config.files}
        except OSError as error:
            raise ModelUnusable(f"{Path(error.filename or directory).name} cannot be read: {error.strerror}") from None
        return cls(sealed, {name: check_file(name, content, sealed.config.files[name]) for name, content in files.items()})


def _reasons(error: ValidationError) -> str:
    """Which fields are at fault and why, without what they hold."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors()[:5])
