"""The quantised model that is shipped says what the full one said, on sentences of our own; and its card and config are true."""

import json
from pathlib import Path

import numpy as np
import pytest

from bloom_events.risk import RiskLabel
from ml_scoring.model.package import CARD, read_config

SERVICE = Path(__file__).parents[2]
SHIPPED = SERVICE / "models/risk-minilm-l6/1"
REFERENCE = json.loads((SERVICE / "tests/fixtures/risk-minilm-l6-reference.json").read_text())
LEAST_COSINE, LEAST_MEAN_COSINE, LEAST_AGREEMENT = 0.97, 0.99, 0.95


def logits(probabilities) -> np.ndarray:
    """The logits around their mean, which is all of them that a softmax keeps."""
    logs = np.log([probabilities[label] for label in RiskLabel])
    return logs - logs.mean()


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def test_the_reference_has_sentences_of_every_group():
    groups = [each["group"] for each in REFERENCE]

    assert {group: groups.count(group) for group in groups} == {"everyday": 20, "distress": 20, "crisis": 20}


def test_int8_points_where_fp32_does(start_up_model):
    found = [
        cosine(logits(start_up_model.score(each["text"]).probabilities), logits(each["probabilities"])) for each in REFERENCE
    ]

    assert min(found) >= LEAST_COSINE
    assert sum(found) / len(found) >= LEAST_MEAN_COSINE


def test_int8_gives_the_label_that_fp32_gives(start_up_model):
    same = [
        start_up_model.score(each["text"]).label == max(each["probabilities"], key=each["probabilities"].get)
        for each in REFERENCE
    ]

    assert sum(same) / len(same) >= LEAST_AGREEMENT


def test_the_card_says_the_thresholds_of_the_config_and_what_the_model_is_for():
    card = (SHIPPED / CARD).read_text()
    thresholds = read_config((SHIPPED / "config.json").read_bytes()).config.thresholds

    for name, threshold in thresholds.model_dump().items():
        assert f"**{name}** ({threshold})" in card
        assert f"**{name} {threshold}**" in card
    assert "triage aid under human review" in card
    assert "never a diagnosis" in card
    assert "Apache-2.0" in card
    assert "operating-curve.png" in card


def test_thresholds_were_chosen_for_recall():
    """By the rows of the card: at the lower end of the interval high keeps nine of ten, critical is right three times of four."""
    rows = [line.split(" | ") for line in (SHIPPED / CARD).read_text().splitlines() if line.startswith("| **")]
    levels = {row[0].split()[1].strip("*"): row for row in rows}

    assert list(levels) == ["moderate", "high", "critical"]
    assert float(levels["moderate"][2].split()[0]) >= 0.93
    assert float(levels["high"][2].split()[0]) >= 0.9
    assert float(levels["critical"][3]) >= 0.75


@pytest.mark.parametrize("group", ["everyday", "crisis"])
def test_everyday_sentences_call_nobody_and_most_crisis_sentences_do(start_up_model, group):
    levels = [start_up_model.score(each["text"]).level for each in REFERENCE if each["group"] == group]
    calling = sum(level in {"high", "critical"} for level in levels) / len(levels)

    assert calling == 0 if group == "everyday" else calling >= 0.7
