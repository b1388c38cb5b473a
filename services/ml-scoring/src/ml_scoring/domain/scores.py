"""What a model says about one text, and how urgent that is. A triage aid under human review, never a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bloom_events.risk import RiskLabel, RiskLevel
from ml_scoring.domain.models import ModelIdentity
from service_kit.errors import Problem, ServiceUnavailable

LONGEST_TEXT = 100_000
"""The most characters that one text may have; all of it is scored, in as many windows as it takes."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one text: the probabilities are those of the window with the highest probability of `Suicidal`."""

    label: RiskLabel
    probabilities: Mapping[RiskLabel, float]
    level: RiskLevel
    windows: int
    milliseconds: float
    model: ModelIdentity

    RISK: ClassVar[RiskLabel] = RiskLabel.SUICIDAL

    @property
    def confidence(self) -> float:
        """The probability of the label."""
        return self.probabilities[self.label]

    @property
    def risk(self) -> float:
        """The probability that the level is decided by."""
        return self.probabilities[self.RISK]


class CannotScore(Problem):
    """The text itself is at fault: no model of this kind can say anything about it, now or later."""

    slug, status, title = "cannot-score", 422, "The text cannot be scored"


class TextTooLong(CannotScore):
    """The text is longer than LONGEST_TEXT."""

    slug, status, title = "text-too-long", 422, "The text is too long to be scored"


class TextNotReadable(CannotScore):
    """Most letters of the text belong to a script that the model does not know, so that its score would say nothing."""

    slug, status, title = "text-not-readable", 422, "The model cannot read the script of this text"


class ScorerBusy(ServiceUnavailable):
    """More texts wait to be scored than the queue holds."""

    slug, status, title = "scorer-busy", 503, "Too many texts wait to be scored"
