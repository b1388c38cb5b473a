"""The development set scored exactly as the product scores a message; what is kept are labels and probabilities, never a text."""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from bloom_events.risk import RiskLabel
from ml_scoring.model import RiskModel

LABELS = tuple(RiskLabel)
SUICIDAL = LABELS.index(RiskLabel.SUICIDAL)


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """True labels as numbers, probabilities in the order of LABELS, windows of each text."""

    truth: np.ndarray
    probabilities: np.ndarray
    windows: np.ndarray

    @property
    def risk(self) -> np.ndarray:
        return self.probabilities[:, SUICIDAL]

    @property
    def is_suicidal(self) -> np.ndarray:
        return np.asarray(self.truth == SUICIDAL)

    @classmethod
    def read(cls, path: Path) -> Self:
        kept = np.load(path)
        return cls(kept["truth"], kept["probabilities"], kept["windows"])


@dataclass(frozen=True, slots=True)
class Quality:
    """The usual figures of a classifier, the label being the most probable one."""

    texts: int
    accuracy: float
    macro_f1: float
    suicidal_recall: float
    suicidal_auc: float
    in_several_windows: int


def score_set(model: RiskModel, data: Path, work: Path) -> ScoredSet:
    """Score every row, or read the scores that this very model gave in an earlier run."""
    kept = work / f"dev-{model.identity.model_hash[:16]}.npz"
    if not kept.exists():
        rows = list(read_rows(data))
        started, found = time.monotonic(), []
        for number, (_, text) in enumerate(rows, 1):
            found.append(model.score(text))
            if number % 500 == 0:
                print(f"scored {number:,} of {len(rows):,} texts in {time.monotonic() - started:.0f} s", flush=True)
        np.savez(
            kept,
            truth=np.array([LABELS.index(label) for label, _ in rows]),
            probabilities=np.array([[score.probabilities[label] for label in LABELS] for score in found]),
            windows=np.array([score.windows for score in found]),
        )
    return ScoredSet.read(kept)


def read_rows(data: Path) -> Iterator[tuple[RiskLabel, str]]:
    """Label and text of each row."""
    csv.field_size_limit(sys.maxsize)
    with gzip.open(data, "rt", newline="") as file:
        for row in csv.DictReader(file):
            yield RiskLabel(row["label"]), row["text"]


def quality(scored: ScoredSet) -> Quality:
    """The figures of the whole set."""
    said = scored.probabilities.argmax(1)
    return Quality(
        texts=len(scored.truth),
        accuracy=float(accuracy_score(scored.truth, said)),
        macro_f1=float(f1_score(scored.truth, said, average="macro")),
        suicidal_recall=float(recall_score(scored.is_suicidal, said == SUICIDAL)),
        suicidal_auc=float(roc_auc_score(scored.is_suicidal, scored.risk)),
        in_several_windows=int((scored.windows > 1).sum()),
    )
