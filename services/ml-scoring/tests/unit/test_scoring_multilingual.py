"""XLM-RoBERTa's shape is a first-class one: a Unigram tokenizer, a graph of two inputs, text of any script."""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from bloom_events.risk import RiskLabel
from ml_scoring.domain.scores import LONGEST_TEXT, TextTooLong
from ml_scoring.model import RiskModel

TEXTS = {
    "German": "Mir geht es heute nicht gut.",
    "Russian": "Сегодня мне очень плохо.",
    "Arabic, from right to left": "أشعر اليوم بتعب شديد.",
    "Chinese": "今天我很累。",
    "Hindi": "आज मैं बहुत थका हुआ हूँ।",
    "emoji of several code points": "👩🏽‍🤝‍👨🏻 😢🌧️",
    "nothing": "",
    "spaces": " \n\t ",
    "a lone surrogate": "broken \ud83d text",
    "control characters": "a\x00b\x1bc\u202ed",
    "combining marks upon marks": "Z" + "\u0301" * 500,
}


@pytest.mark.promise("ML3")
@pytest.mark.promise("ML7")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_of_any_script_is_scored(tiny_xlmr, text):
    score = tiny_xlmr.score(text)

    assert sum(score.probabilities.values()) == pytest.approx(1, abs=1e-9)
    assert score.probabilities[score.label] == max(score.probabilities.values())


def test_texts_differ_in_their_scores(tiny_xlmr):
    assert len({tiny_xlmr.score(text).risk for text in list(TEXTS.values())[:5]}) == 5


@pytest.fixture(scope="module")
def by_hand(make_model, tmp_path_factory) -> SimpleNamespace:
    """A tiny XLM-RoBERTa, and its tokenizer and graph as the libraries open them."""
    directory = make_model(tmp_path_factory.mktemp("by-hand"), seed=7)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(directory / "model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    return SimpleNamespace(model=RiskModel.load(directory), session=session, tokenizer=tokenizer)


def softmax_of(session, ids) -> dict[RiskLabel, float]:
    shown = np.array([ids], dtype=np.int64)
    logits = session.run(["logits"], {"input_ids": shown, "attention_mask": np.ones_like(shown)})[0][0].astype(np.float64)
    raised = np.exp(logits)
    return dict(zip(RiskLabel, (raised / raised.sum()).tolist(), strict=True))


@pytest.mark.promise("ML3")
@pytest.mark.parametrize(
    "text",
    [
        "Mir geht es gut.",
        "\u0421\u0435\u0433\u043e\u0434\u043d\u044f \u043c\u043d\u0435 \u043b\u0443\u0447\u0448\u0435",
        "\u4eca\u5929\u6211\u611f\u89c9\u597d\u591a\u4e86",
        "\U0001f327\ufe0f",
    ],
)
def test_a_score_is_the_softmax_of_what_the_graph_says_to_the_tokens(by_hand, text):
    assert {each.name for each in by_hand.session.get_inputs()} == {"input_ids", "attention_mask"}

    found = by_hand.model.score(text)

    assert found.windows == 1
    assert dict(found.probabilities) == pytest.approx(softmax_of(by_hand.session, by_hand.tokenizer.encode(text).ids), abs=1e-6)


def test_a_long_text_gets_the_probabilities_of_its_riskiest_window(by_hand):
    ids = by_hand.tokenizer.encode("\u0421\u0435\u0433\u043e\u0434\u043d\u044f danke " * 30, add_special_tokens=False).ids
    bodies = [ids[start : start + 46] for start in [*range(0, len(ids) - 46, 34), len(ids) - 46]]

    found = by_hand.model.score("\u0421\u0435\u0433\u043e\u0434\u043d\u044f danke " * 30)

    windows = [softmax_of(by_hand.session, [0, *body, 2]) for body in bodies]
    assert found.windows == len(bodies) > 2
    assert dict(found.probabilities) == pytest.approx(max(windows, key=lambda each: each[RiskLabel.SUICIDAL]), abs=1e-6)


@pytest.mark.parametrize("mark", ["<s>", "</s>", "<pad>"])
def test_a_mark_that_somebody_types_is_an_unknown_word(by_hand, mark):
    """The end mark in the middle of a message would hide the rest of it from the model."""
    start, end, unknown = (by_hand.tokenizer.token_to_id(each) for each in ("<s>", "</s>", "<unk>"))
    typed = by_hand.tokenizer.encode(f"danke {mark} gut", add_special_tokens=False).ids
    assert by_hand.tokenizer.token_to_id(mark) in typed

    meant = [start, *(unknown if each == by_hand.tokenizer.token_to_id(mark) else each for each in typed), end]

    found = by_hand.model.score(f"danke {mark} gut").probabilities
    assert dict(found) == pytest.approx(softmax_of(by_hand.session, meant), abs=1e-6)


def test_characters_that_stand_for_a_sentence_do_not_make_a_text_endless(tiny_xlmr):
    with pytest.raises(TextTooLong, match="tokens"):
        tiny_xlmr.score("\ufdfa" * (LONGEST_TEXT // 10))
