"""Writes a model's directory: graph, tokenizer, card and picture, and the config.json that seals them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from bloom_events.risk import RiskLabel
from ml_scoring.domain.models import Thresholds
from ml_scoring.model.package import CARD, CONFIG, TOKENIZER, WEIGHTS, Check, Checks, FileSeal, Levels, ModelConfig
from training.recipe import RECIPE
from training.reference import Said

# Stand in until the real ones are chosen with the model that they belong to.
_UNCHOSEN = Thresholds(moderate=0.25, high=0.5, critical=0.75)


def draft(into: Path, graph: Path, tokenizer: Path, labels: Sequence[RiskLabel], said: list[Said]) -> Path:
    """A directory that can be loaded and measured, without card and thresholds of its own."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    shutil.copyfile(graph, into / WEIGHTS)
    shutil.copyfile(tokenizer, into / TOKENIZER)
    (into / CARD).write_text("Not measured yet.\n")
    return seal(into, labels, said, _UNCHOSEN)


def seal(directory: Path, labels: Sequence[RiskLabel], said: list[Said], thresholds: Thresholds) -> Path:
    """Write the config.json over the files that are there."""
    files = {path.name: seal_of(path) for path in sorted(directory.iterdir()) if path.name != CONFIG}
    checks = [Check(text=each.text, probabilities=each.probabilities) for each in (said[number] for number in RECIPE.checked)]
    config = ModelConfig(
        format=1,
        name=RECIPE.name,
        version=RECIPE.version,
        labels=tuple(labels),
        cleaning=RECIPE.cleaning,
        least_readable=RECIPE.least_readable,
        window=RECIPE.window,
        thresholds=Levels(moderate=thresholds.moderate, high=thresholds.high, critical=thresholds.critical),
        checks=Checks(tolerance=RECIPE.tolerance, texts=tuple(checks)),
        files=files,
    )
    (directory / CONFIG).write_text(config.model_dump_json(indent=2) + "\n")
    return directory


def seal_of(path: Path) -> FileSeal:
    """Hash and size of a file."""
    content = path.read_bytes()
    return FileSeal(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def publish(drafted: Path, into: Path) -> None:
    """Put the finished directory in place of the one before."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(drafted, into)
