"""The operating curve as a picture for the card."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from bloom_events.risk import RiskLabel
from ml_scoring.domain.models import Thresholds
from training.evaluation import ScoredSet
from training.thresholds import curve

mpl.use("Agg")
_SHOWN = {RiskLabel.NORMAL: "tab:green", RiskLabel.ANXIETY: "tab:purple", RiskLabel.DEPRESSION: "tab:orange"}


def draw(scored: ScoredSet, thresholds: Thresholds, into: Path) -> None:
    """Recall, precision and who else is flagged, over the threshold; the levels as lines."""
    from matplotlib import pyplot as plt

    points = curve(scored)
    at = [point.threshold for point in points]
    figure, axes = plt.subplots(figsize=(10, 5), layout="constrained")
    axes.plot(at, [point.recall for point in points], color="tab:red", linewidth=2, label="recall on Suicidal")
    axes.fill_between(
        at, [p.recall_low for p in points], [p.recall_high for p in points], color="tab:red", alpha=0.15, label="95 % interval"
    )
    axes.plot(at, [point.precision for point in points], color="tab:blue", label="precision")
    for label, colour in _SHOWN.items():
        axes.plot(at, [p.flagged[label] for p in points], color=colour, linestyle="--", linewidth=1, label=f"{label} flagged")
    for name in ("moderate", "high", "critical"):
        threshold = getattr(thresholds, name)
        axes.axvline(threshold, color="black", linewidth=0.8, linestyle=":")
        axes.annotate(f"{name} {threshold}", (threshold, 1.01), rotation=30, fontsize=8, annotation_clip=False)
    axes.set(xlabel="threshold on P(Suicidal)", ylabel="share", xlim=(0, 1), ylim=(0, 1))
    figure.legend(loc="outside right upper", fontsize=8)
    axes.grid(alpha=0.3)
    # Without the metadata the same figures give the same bytes.
    figure.savefig(into, dpi=110, metadata={"Software": None})
    plt.close(figure)
