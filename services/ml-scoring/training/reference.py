"""What the full fp32 graph says about our own sentences: the reference for the quantised one, here and in the service's tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from bloom_events.risk import RiskLabel
from ml_scoring.model import RiskModel
from ml_scoring.model.cleaning import CLEANINGS
from training.recipe import RECIPE

TEXTS = Path(__file__).with_name("texts.txt")
LABELS = tuple(RiskLabel)


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of ours, its group and the probabilities that the full graph gives it."""

    group: str
    text: str
    probabilities: dict[RiskLabel, float]


def sentences() -> list[tuple[str, str]]:
    """Group and text of each line of texts.txt."""
    lines = (line.strip() for line in TEXTS.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return [(group, text.strip()) for group, _, text in (line.partition(":") for line in lines)]


def measure(full: Path, tokenizer: Path, labels: Sequence[RiskLabel]) -> list[Said]:
    """Run the full graph on each sentence, cleaned as the product cleans it."""
    session = onnxruntime.InferenceSession(full, providers=["CPUExecutionProvider"])
    reads = Tokenizer.from_file(str(tokenizer))
    clean = CLEANINGS[RECIPE.cleaning]
    answers = ((group, text, probabilities(session, reads.encode(clean(text).text).ids)) for group, text in sentences())
    return [Said(group, text, dict(zip(labels, answer, strict=True))) for group, text, answer in answers]


def probabilities(session: onnxruntime.InferenceSession, ids: Sequence[int]) -> tuple[float, ...]:
    """The softmax of the graph's answer."""
    shown = np.array([ids], dtype=np.int64)
    feed = {"input_ids": shown, "attention_mask": np.ones_like(shown), "token_type_ids": np.zeros_like(shown)}
    logits = session.run(["logits"], feed)[0][0].astype(np.float64)
    raised = np.exp(logits - logits.max())
    return tuple(round(each, 6) for each in (raised / raised.sum()).tolist())


def keep(said: list[Said], into: Path) -> None:
    """Write the reference where the service's tests read it."""
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(json.dumps([asdict(each) for each in said], indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class Parity:
    """How close the quantised graph is to the full one, and how many of a group's sentences are at least at a level."""

    worst_cosine: float
    mean_cosine: float
    same_label: int
    furthest: float
    sentences: int


def compare(model: RiskModel, said: list[Said]) -> Parity:
    """Score each sentence with the quantised model and compare."""
    found = np.array([[model.score(each.text).probabilities[label] for label in LABELS] for each in said])
    full = np.array([[each.probabilities[label] for label in LABELS] for each in said])
    cosines = cosine(found, full)
    return Parity(
        worst_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        same_label=int((found.argmax(1) == full.argmax(1)).sum()),
        furthest=float(np.abs(found - full).max()),
        sentences=len(said),
    )


def cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Row by row the cosine of two sets of logits, which are the logarithms of the probabilities up to their mean."""
    a, b = (np.log(each) - np.log(each).mean(1, keepdims=True) for each in (one, other))
    return np.asarray((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)))
