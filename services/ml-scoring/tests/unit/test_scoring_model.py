"""The start-up model: seven classes, levels, windows, and scores that depend on the text alone."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from bloom_events.risk import Probabilities, RiskLabel, RiskLevel
from ml_scoring.domain.models import Thresholds
from ml_scoring.domain.scores import LONGEST_TEXT, TextNotReadable, TextTooLong

CRISIS = "Everyone would be better off without me, I just want to die."
EVERYDAY = "Good morning, can we move our appointment to Thursday at ten?"
FILLER = "The weather was fine and we walked along the river for a while. "


@pytest.mark.promise("ML4")
def test_a_score_has_the_seven_classes_and_they_sum_to_one(start_up_model):
    score = start_up_model.score(EVERYDAY)

    assert set(score.probabilities) == {
        "Anxiety", "Bipolar", "Depression", "Normal", "Personality disorder", "Stress", "Suicidal",
    }  # fmt: skip
    assert sum(score.probabilities.values()) == pytest.approx(1, abs=1e-9)
    assert Probabilities.by_label(score.probabilities).suicidal == score.risk


@pytest.mark.parametrize(
    ("text", "label", "level"),
    [(EVERYDAY, RiskLabel.NORMAL, RiskLevel.LOW), (CRISIS, RiskLabel.SUICIDAL, RiskLevel.CRITICAL)],
)
def test_everyday_and_crisis_are_told_apart(start_up_model, text, label, level):
    score = start_up_model.score(text)

    assert (score.label, score.level) == (label, level)
    assert score.confidence == max(score.probabilities.values())


@pytest.mark.promise("ML5")
@pytest.mark.parametrize(
    ("risk", "level"),
    [(0, "low"), (0.0999, "low"), (0.1, "moderate"), (0.2999, "moderate"), (0.3, "high"), (0.6, "critical"), (1, "critical")],
)
def test_the_level_follows_from_the_thresholds(risk, level):
    assert Thresholds(0.1, 0.3, 0.6).level_of(risk) == level


@pytest.mark.parametrize("thresholds", [(0.3, 0.1, 0.6), (0, 0.1, 0.2), (0.1, 0.2, 1), (0.1, 0.1, 0.2)])
def test_thresholds_that_do_not_rise_are_refused(thresholds):
    with pytest.raises(ValueError, match="rise"):
        Thresholds(*thresholds)


@pytest.mark.parametrize("place", [0, 40, 80], ids=["at the start", "in the middle", "at the end"])
def test_one_sentence_in_a_long_text_is_found_wherever_it_stands(start_up_model, place):
    sentences = [FILLER] * 80
    sentences.insert(place, CRISIS + " ")

    score = start_up_model.score("".join(sentences))

    assert score.windows > 3
    assert score.level in {RiskLevel.HIGH, RiskLevel.CRITICAL}
    assert start_up_model.score(FILLER * 80).level is RiskLevel.LOW


def test_the_score_of_a_long_text_is_that_of_its_riskiest_window(start_up_model):
    """Windows of whole repetitions: 254 tokens of body and 190 of step, so the text is made of words of one token."""
    words = ["walk"] * 190 + ["suicide"] * 64 + ["walk"] * 190

    score = start_up_model.score(" ".join(words))

    alone = [start_up_model.score(" ".join(part)) for part in (words[:254], words[190:])]
    assert score.windows == 2
    assert dict(score.probabilities) == dict(max(alone, key=lambda each: each.risk).probabilities)


def test_the_longest_text_is_scored_whole_and_a_longer_one_refused(tiny_xlmr):
    assert tiny_xlmr.score("danke " * (LONGEST_TEXT // 6)).windows > 500

    with pytest.raises(TextTooLong):
        tiny_xlmr.score("a" * (LONGEST_TEXT + 1))


@pytest.mark.parametrize(
    "text",
    [
        "\u041c\u043d\u0435 \u043e\u0447\u0435\u043d\u044c \u043f\u043b\u043e\u0445\u043e",
        "\u6211\u4e0d\u60f3\u6d3b\u4e86",
        "\u0627\u0646\u0627 \u062d\u0632\u064a\u0646",
    ],
)
def test_a_script_that_the_model_does_not_know_is_refused_instead_of_read_as_nothing(start_up_model, text):
    with pytest.raises(TextNotReadable):
        start_up_model.score(text)


@pytest.mark.parametrize("text", ["", "\U0001f44d", "...", "12:30", "https://example.org/walks", "\x00\x1b"])
def test_a_text_without_words_is_low(start_up_model, text):
    assert start_up_model.score(text).level is RiskLevel.LOW


@pytest.mark.parametrize("model", ["start_up_model", "tiny_xlmr"])
def test_a_score_is_the_same_to_the_last_bit_whatever_is_scored_beside_it(model, request):
    """One text is one run of the graph: neither neighbours nor threads change a digit."""
    model = request.getfixturevalue(model)
    texts = [f"{CRISIS[: 5 + 3 * number]} {EVERYDAY[number:]} {FILLER * (number % 7)}" for number in range(13)]
    alone = [dict(model.score(text).probabilities) for text in texts]
    stop = threading.Event()

    def traffic(seed: int) -> int:
        scored = 0
        while not stop.is_set():
            model.score(FILLER * ((seed + scored) % 9) + EVERYDAY[: scored % 30])
            scored += 1
        return scored

    with ThreadPoolExecutor(8) as threads:
        noise = [threads.submit(traffic, seed) for seed in range(3)]
        rounds = [threads.submit(lambda text=text: dict(model.score(text).probabilities)) for _ in range(4) for text in texts]
        beside = [each.result() for each in rounds]
        stop.set()
        assert all(each.result() > 0 for each in noise)

    assert beside == alone * 4


def test_a_score_names_the_model_that_made_it(start_up_model):
    identity = start_up_model.score(EVERYDAY).model

    assert (identity.name, identity.version) == ("risk-minilm-l6", "1")
    assert Counter(map(len, (identity.model_hash, identity.tokenizer_hash, identity.seal))) == {64: 3}
    assert identity.thresholds == Thresholds(0.045, 0.106, 0.772)
