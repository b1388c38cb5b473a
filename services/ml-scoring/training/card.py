"""Fills the model card with what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bloom_events.risk import RiskLabel, RiskLevel
from ml_scoring.domain.models import Thresholds
from ml_scoring.model import RiskModel
from training import thresholds as choosing
from training.evaluation import LABELS, ScoredSet, quality
from training.recipe import RECIPE
from training.reference import Parity, Said
from training.thresholds import OperatingPoint

TEMPLATE = Path(__file__).with_name("card_template.md")


def card(model: RiskModel, scored: ScoredSet, thresholds: Thresholds, said: Sequence[Said], parity: Parity, *, size: int) -> str:
    """The card in Markdown."""
    found, levels = quality(scored), own_levels(model, thresholds, said)
    return TEMPLATE.read_text().format(
        name=RECIPE.name,
        version=RECIPE.version,
        labels=", ".join(LABELS),
        megabytes=round(size / 1e6),
        cleaning=RECIPE.cleaning,
        tokens=RECIPE.window.tokens,
        overlap=RECIPE.window.overlap,
        least_readable=RECIPE.least_readable,
        texts=found.texts,
        suicidal=int(scored.is_suicidal.sum()),
        several=found.in_several_windows,
        accuracy=found.accuracy,
        macro_f1=found.macro_f1,
        auc=found.suicidal_auc,
        argmax_recall=found.suicidal_recall,
        sentences=parity.sentences,
        mean_cosine=parity.mean_cosine,
        worst_cosine=parity.worst_cosine,
        same_label=parity.same_label,
        furthest=parity.furthest,
        moderate=thresholds.moderate,
        high=thresholds.high,
        critical=thresholds.critical,
        moderate_recall=choosing.MODERATE_RECALL,
        high_recall=choosing.HIGH_RECALL,
        critical_precision=choosing.CRITICAL_PRECISION,
        table=points_table(choosing.table(scored, thresholds)),
        groups=", ".join(f"{count} of {group}" for group, count in Counter(each.group for each in said).items()),
        own=own_table(said, levels),
        missed=missed(said, levels),
    )


def own_levels(model: RiskModel, thresholds: Thresholds, said: Sequence[Said]) -> list[RiskLevel]:
    """The level of each of our sentences."""
    return [thresholds.level_of(model.score(each.text).risk) for each in said]


def missed(said: Sequence[Said], levels: Sequence[RiskLevel]) -> str:
    """The sentences of crisis that stay below high, as a list in Markdown."""
    calling = {RiskLevel.HIGH, RiskLevel.CRITICAL}
    pairs = [(each.text, level) for each, level in zip(said, levels, strict=True) if each.group == "crisis"]
    return "\n".join(f'  - "{text}" ({level})' for text, level in pairs if level not in calling)


def points_table(points: Sequence[tuple[str, OperatingPoint]]) -> str:
    """The operating points in rows, those of a level in bold."""
    shown = [label for label in LABELS if label is not RiskLabel.SUICIDAL]
    head = ["threshold", "recall", "interval", "precision", *(f"{label} flagged" for label in shown), "all flagged"]
    rows = [[_named(name, point), *_shares(point, shown)] for name, point in points]
    return as_table(head, rows)


def own_table(said: Sequence[Said], levels: Sequence[RiskLevel]) -> str:
    """Our sentences by group and level."""
    counted = Counter((each.group, level) for each, level in zip(said, levels, strict=True))
    groups = dict.fromkeys(each.group for each in said)
    return as_table(["group", *RiskLevel], [[group, *(str(counted[group, level]) for level in RiskLevel)] for group in groups])


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _named(name: str, point: OperatingPoint) -> str:
    return f"**{name} {point.threshold}**" if name else f"{point.threshold}"


def _shares(point: OperatingPoint, shown: Sequence[RiskLabel]) -> list[str]:
    interval = f"{point.recall_low:.3f} to {point.recall_high:.3f}"
    flagged = [f"{point.flagged[label]:.3f}" for label in shown]
    return [f"{point.recall:.3f}", interval, f"{point.precision:.3f}", *flagged, f"{point.flagged_of_all:.3f}"]
