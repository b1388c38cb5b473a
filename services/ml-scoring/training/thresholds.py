"""Thresholds on P(Suicidal): two for recall, because a miss costs more than a look, and the top one for precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bloom_events.risk import RiskLabel
from ml_scoring.domain.models import Thresholds
from training.evaluation import LABELS, ScoredSet

# Recalls are meant at the lower end of their 95 % interval: of ten people in danger high misses one at most, and not by the luck
# of this set. Critical calls sooner and wider, so three of four such calls shall be right.
MODERATE_RECALL, HIGH_RECALL, CRITICAL_PRECISION = 0.93, 0.90, 0.75
STEPS = tuple(each / 1000 for each in range(1, 1000))
GRID = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What one threshold does on the development set; `flagged` is by label the share of its texts at or above it."""

    threshold: float
    recall: float
    recall_low: float
    recall_high: float
    precision: float
    flagged: dict[RiskLabel, float]
    flagged_of_all: float


def choose(scored: ScoredSet) -> Thresholds:
    """The highest thresholds that keep the recalls, and the lowest one that reaches the precision."""
    points = [operating_point(scored, step) for step in STEPS]
    return Thresholds(
        moderate=max(point.threshold for point in points if point.recall_low >= MODERATE_RECALL),
        high=max(point.threshold for point in points if point.recall_low >= HIGH_RECALL),
        critical=min(point.threshold for point in points if point.precision >= CRITICAL_PRECISION),
    )


def operating_point(scored: ScoredSet, threshold: float) -> OperatingPoint:
    """Recall with its 95 % interval, precision, and who is flagged."""
    flagged = scored.risk >= threshold
    found, suicidal = int((flagged & scored.is_suicidal).sum()), int(scored.is_suicidal.sum())
    low, high = wilson(found, suicidal)
    return OperatingPoint(
        threshold=threshold,
        recall=found / suicidal,
        recall_low=low,
        recall_high=high,
        precision=found / max(1, int(flagged.sum())),
        flagged={label: float(flagged[scored.truth == number].mean()) for number, label in enumerate(LABELS)},
        flagged_of_all=float(flagged.mean()),
    )


def table(scored: ScoredSet, thresholds: Thresholds) -> list[tuple[str, OperatingPoint]]:
    """The grid and the chosen thresholds in rising order, the chosen ones with the name of their level."""
    named = {thresholds.moderate: "moderate", thresholds.high: "high", thresholds.critical: "critical"}
    return [(named.get(each, ""), operating_point(scored, each)) for each in sorted({*GRID, *named})]


def curve(scored: ScoredSet) -> Sequence[OperatingPoint]:
    """Points for the picture, one per hundredth, as far as anything is flagged at all."""
    points = (operating_point(scored, each / 100) for each in range(1, 100))
    return [point for point in points if point.flagged_of_all]


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson)."""
    z, share = 1.96, found / of
    middle, spread = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)
