"""What is decided about the start-up model, with its reasons; everything else is measured."""

from __future__ import annotations

from dataclasses import dataclass

from ml_scoring.model.package import WindowShape


@dataclass(frozen=True, slots=True)
class Recipe:
    """The parts of a config.json that nothing measures."""

    name: str
    version: str
    cleaning: str
    least_readable: float
    window: WindowShape
    tolerance: float
    checked: tuple[int, ...]


RECIPE = Recipe(
    name="risk-minilm-l6",
    version="1",
    cleaning="forum-english-1",
    # Below half of its letters a text is not what its author wrote.
    least_readable=0.5,
    # The student learned from 256 tokens; its positions reach to 512, but nothing beyond 256 was trained. Neighbours share 64, so
    # that a sentence on an edge is whole in one of them.
    window=WindowShape(tokens=256, overlap=64),
    # Int8 is up to 0.12 off fp32 on texts.txt; a wrong tokenizer, cleaning or order of the labels is off by half and more.
    tolerance=0.2,
    # One sentence each of everyday and distress, two of crisis that differ in their level.
    checked=(0, 20, 40, 41),
)
