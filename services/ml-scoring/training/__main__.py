"""`make model SOURCE=folder DATA=dev.csv.gz`: export the start-up model, measure it and write its directory.

Steps that were done are not done again while their results lie in the work folder; `--anew` begins from the weights.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ml_scoring.model import RiskModel
from ml_scoring.model.package import CARD
from training import card, curve, directory, evaluation, export, reference, thresholds
from training.recipe import RECIPE

SERVICE = Path(__file__).resolve().parents[1]


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of the trained model: config.json, model.safetensors, tokenizer.json")
    parser.add_argument("data", type=Path, help="labelled development set (csv.gz with text and label); no row of it is kept")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="folder for what is in between")
    parser.add_argument("--into", type=Path, default=SERVICE / "models" / RECIPE.name / RECIPE.version)
    parser.add_argument("--reference", type=Path, default=SERVICE / f"tests/fixtures/{RECIPE.name}-reference.json")
    parser.add_argument("--anew", action="store_true", help="keep nothing of an earlier run")
    return parser.parse_args()


def main() -> int:
    """Do the steps in order, saying what each found."""
    asked = arguments()
    if asked.anew:
        shutil.rmtree(asked.work, ignore_errors=True)
    asked.work.mkdir(parents=True, exist_ok=True)
    full, small = export.graphs(asked.source, asked.work)
    tokenizer, labels = export.tokenizer(asked.source, asked.work), export.labels(asked.source)
    said = reference.measure(full, tokenizer, labels)
    reference.keep(said, asked.reference)
    drafted = directory.draft(asked.work / "draft", small, tokenizer, labels, said)
    model = RiskModel.load(drafted)
    scored = evaluation.score_set(model, asked.data, asked.work)
    chosen = thresholds.choose(scored)
    curve.draw(scored, chosen, drafted / "operating-curve.png")
    parity = reference.compare(model, said)
    (drafted / CARD).write_text(card.card(model, scored, chosen, said, parity, size=small.stat().st_size))
    RiskModel.load(directory.seal(drafted, labels, said, chosen))
    directory.publish(drafted, asked.into)
    print(f"{asked.into}: {sum(path.stat().st_size for path in asked.into.iterdir()):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
