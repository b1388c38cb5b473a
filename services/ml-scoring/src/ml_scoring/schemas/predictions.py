"""Bodies of texts that are scored on request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from bloom_events.risk import RiskLabel, RiskLevel
from ml_scoring.domain.models import ModelIdentity
from ml_scoring.domain.scores import CannotScore, Score
from ml_scoring.schemas.fields import Request, Response

LONGEST_TEXT = 20_000
"""Characters of one text; the whole body may have 64 KiB beside."""

MOST_TEXTS = 32
"""Texts of one request."""

_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_MODEL: JsonDict = {"name": "risk-minilm-l6", "version": "1", "modelHash": _HASH, "tokenizerHash": _HASH}
_SCORES: JsonDict = {
    "Anxiety": 0.11,
    "Bipolar": 0.01,
    "Depression": 0.05,
    "Normal": 0.79,
    "Personality disorder": 0.01,
    "Stress": 0.02,
    "Suicidal": 0.01,
}
PREDICTION: JsonDict = {
    "label": "Normal",
    "confidence": 0.79,
    "allScores": _SCORES,
    "riskLevel": "low",
    "windows": 1,
    "model": _MODEL,
}

Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]


class PredictRequest(Request):
    """One text, or up to 32 of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "I slept well and look forward to the week."}],
            "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
        }
    )

    text: Text | None = None
    texts: Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)] | None = None

    @model_validator(mode="after")
    def _has_one_of_them(self) -> Self:
        if (self.text is None) == (self.texts is None):
            raise ValueError("Give either text or texts")
        return self


class ModelResponse(Response):
    """Which model scored."""

    name: str
    version: str
    model_hash: str = Field(description="SHA-256 of its weights.")
    tokenizer_hash: str = Field(description="SHA-256 of its tokenizer.")

    @classmethod
    def of(cls, model: ModelIdentity) -> Self:
        return cls(name=model.name, version=model.version, model_hash=model.model_hash, tokenizer_hash=model.tokenizer_hash)


class PredictionResponse(Response):
    """What the model says about a text. A triage aid under human review, never a diagnosis."""

    model_config = ConfigDict(json_schema_extra={"examples": [PREDICTION]})

    label: RiskLabel = Field(description="The most probable class.")
    confidence: float = Field(description="Its probability.")
    all_scores: dict[RiskLabel, float] = Field(description="The probability of each class.")
    risk_level: RiskLevel = Field(description="How urgent the text is, by the thresholds of the model.")
    windows: int = Field(description="Into how many windows the text was cut; the risk is the highest of them.")
    model: ModelResponse

    @classmethod
    def of(cls, score: Score) -> Self:
        return cls(
            label=score.label,
            confidence=score.confidence,
            all_scores=dict(score.probabilities),
            risk_level=score.level,
            windows=score.windows,
            model=ModelResponse.of(score.model),
        )


class UnscoredResponse(Response):
    """Why one text of several has no score."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"problem": "text-not-readable", "title": "..."}]})

    problem: str = Field(description="The last part of the problem's type.")
    title: str

    @classmethod
    def of(cls, problem: CannotScore) -> Self:
        return cls(problem=problem.slug, title=problem.title)


class PredictionsResponse(Response):
    """A prediction for each text, in their order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"predictions": [PREDICTION]}]})

    predictions: list[PredictionResponse | UnscoredResponse]

    @classmethod
    def of(cls, scored: Sequence[Score | CannotScore]) -> Self:
        return cls(
            predictions=[PredictionResponse.of(each) if isinstance(each, Score) else UnscoredResponse.of(each) for each in scored]
        )
