"""A model's directory is loaded whole and true or not at all, and a refusal says why."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from bloom_events.risk import RiskLabel
from ml_scoring.domain.models import ModelReference, ModelUnusable
from ml_scoring.model import RiskModel

START_UP = Path(__file__).parents[2] / "models/risk-minilm-l6/1"


@pytest.fixture
def directory(make_model, tmp_path) -> Path:
    return make_model(tmp_path)


@pytest.fixture
def start_up(tmp_path) -> Path:
    return shutil.copytree(START_UP, tmp_path / "risk-minilm-l6/1")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def graph(inputs: list[str], output: str, *, nodes=None) -> onnx.ModelProto:
    """A graph that answers the same seven numbers to everything."""
    answer = helper.make_tensor("answer", TensorProto.FLOAT, [1, 7], [0.0] * 7)
    nodes = nodes or [helper.make_node("Constant", [], [output], value=answer)]
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "n"]) for name in inputs]
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 7])
    return helper.make_model(helper.make_graph(nodes, "g", ids, [out]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "MODEL_CARD.md"])
def test_a_file_with_one_bit_changed_is_refused(directory, file):
    flip_a_bit(directory / file)

    with pytest.raises(ModelUnusable, match=rf"{file} is not the file"):
        RiskModel.load(directory)


def test_a_file_that_is_too_short_is_refused(directory):
    weights = directory / "model.onnx"
    weights.write_bytes(weights.read_bytes()[:-10])

    with pytest.raises(ModelUnusable, match=r"model\.onnx has \d+ bytes, not \d+"):
        RiskModel.load(directory)


@pytest.mark.parametrize("file", ["config.json", "model.onnx", "tokenizer.json", "MODEL_CARD.md"])
def test_a_file_that_is_missing_is_refused(directory, file):
    (directory / file).unlink()

    with pytest.raises(ModelUnusable, match=f"{file} cannot be read"):
        RiskModel.load(directory)


def test_a_directory_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelUnusable, match=r"config\.json cannot be read"):
        RiskModel.load(tmp_path / "nothing")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"format": 2}'])
def test_a_config_that_is_none_is_refused(directory, content):
    (directory / "config.json").write_bytes(content)

    with pytest.raises(ModelUnusable, match=r"config\.json is not valid"):
        RiskModel.load(directory)


def test_a_config_without_end_is_refused(directory):
    (directory / "config.json").write_bytes(b" " * 300_000)

    with pytest.raises(ModelUnusable, match="longer than"):
        RiskModel.load(directory)


BAD_PARTS = {
    "six labels": ({"labels": list(RiskLabel)[:6]}, "seven"),
    "a label twice": ({"labels": [*list(RiskLabel)[:6], "Anxiety"]}, "seven"),
    "a label of its own": ({"labels": [*list(RiskLabel)[:6], "Happy"]}, "labels"),
    "thresholds that fall": ({"thresholds": {"moderate": 0.5, "high": 0.4, "critical": 0.6}}, "rise"),
    "a cleaning that nobody knows": ({"cleaning": "mine"}, "cleaning must be one of"),
    "windows of nothing": ({"window": {"tokens": 2, "overlap": 0}}, r"window\.tokens"),
    "windows that hardly move": ({"window": {"tokens": 48, "overlap": 40}}, "half"),
    "a name that is a path": ({"name": "../other"}, "small letters"),
    "a file outside": ({"files": {"../model.onnx": {"sha256": "0" * 64, "bytes": 1}}}, "files"),
    "no weights": ({"files": {"MODEL_CARD.md": {"sha256": "0" * 64, "bytes": 1}}}, r"must seal model\.onnx, tokenizer\.json"),
    "a file without end": ({"files": {"model.onnx": {"sha256": "0" * 64, "bytes": 2**40}}}, "files"),
    "no checks": ({"checks": {"tolerance": 0.1, "texts": []}}, "checks"),
    "a check of one class": (
        {"checks": {"tolerance": 0.1, "texts": [{"text": "a", "probabilities": {"Normal": 1}}]}},
        "each label",
    ),
    "a part that nobody knows": ({"pool": 4}, "pool"),
}


@pytest.mark.parametrize(("changes", "reason"), BAD_PARTS.values(), ids=BAD_PARTS)
def test_a_config_that_breaks_a_rule_is_refused(directory, reseal, changes, reason):
    reseal(directory, **changes)

    with pytest.raises(ModelUnusable, match=reason):
        RiskModel.load(directory)


@pytest.mark.parametrize("part", ["padding", "truncation"])
def test_a_tokenizer_that_drops_or_pads_is_refused(directory, reseal, part):
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["truncation"] = {"max_length": 16, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    if part == "padding":
        tokenizer["truncation"] = None
        tokenizer["padding"] = {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1,
                                "pad_type_id": 0, "pad_token": "<pad>"}  # fmt: skip
    path.write_text(json.dumps(tokenizer))

    with pytest.raises(ModelUnusable, match="pads or truncates"):
        RiskModel.load(reseal(directory))


@pytest.mark.parametrize("content", [b"no tokenizer", b"\xff\xff", b"{}"])
def test_a_tokenizer_that_is_none_is_refused(directory, reseal, content):
    (directory / "tokenizer.json").write_bytes(content)

    with pytest.raises(ModelUnusable, match="is not a tokenizer"):
        RiskModel.load(reseal(directory))


BAD_GRAPHS = {
    "no graph": (b"no graph", "not a graph"),
    "an input of its own": (graph(["input_ids", "attention_mask", "pixels"], "logits"), "nothing else"),
    "an input less": (graph(["input_ids"], "logits"), "must take attention_mask, input_ids"),
    "another output": (graph(["input_ids", "attention_mask"], "scores"), "no output called logits"),
    "an answer of six classes": (
        graph(
            ["input_ids", "attention_mask"],
            "logits",
            nodes=[
                helper.make_node("Constant", [], ["logits"], value=helper.make_tensor("a", TensorProto.FLOAT, [1, 6], [0.0] * 6))
            ],
        ),
        "fails on check 1",
    ),
    "an answer that is no number": (
        graph(
            ["input_ids", "attention_mask"],
            "logits",
            nodes=[
                helper.make_node(
                    "Constant", [], ["logits"], value=helper.make_tensor("a", TensorProto.FLOAT, [1, 7], [float("nan")] * 7)
                )
            ],
        ),
        "fails on check 1: ArithmeticError",
    ),
}


@pytest.mark.parametrize(("content", "reason"), BAD_GRAPHS.values(), ids=BAD_GRAPHS)
def test_a_graph_that_is_none_is_refused(directory, reseal, content, reason):
    data = content if isinstance(content, bytes) else content.SerializeToString()
    (directory / "model.onnx").write_bytes(data)

    with pytest.raises(ModelUnusable, match=reason):
        RiskModel.load(reseal(directory))


def test_a_window_longer_than_the_graph_has_positions_is_refused(directory, reseal):
    reseal(directory, window={"tokens": 128, "overlap": 12})

    with pytest.raises(ModelUnusable, match="a window of its full length"):
        RiskModel.load(directory)


def test_a_graph_of_a_constant_with_seven_classes_would_be_taken(directory, reseal):
    """So that the refusals above are for their reasons alone."""
    (directory / "model.onnx").write_bytes(graph(["input_ids", "attention_mask"], "logits").SerializeToString())

    assert RiskModel.load(reseal(directory)).score("danke").probabilities["Normal"] == pytest.approx(1 / 7)


def test_a_model_whose_labels_are_in_another_order_fails_its_own_checks(start_up):
    """Every file is true; only the meaning of the answer is wrong, which nothing but an answer can show."""
    config = json.loads((start_up / "config.json").read_text())
    config["labels"] = config["labels"][::-1]
    (start_up / "config.json").write_text(json.dumps(config))

    with pytest.raises(ModelUnusable, match=r"check \d otherwise than was measured: [A-Z][a-z]+ is 0\.\d+ off"):
        RiskModel.load(start_up)


def test_a_model_with_another_tokenizer_fails_its_own_checks(start_up, tiny_tokenizer, reseal):
    config = json.loads((start_up / "config.json").read_text())
    (start_up / "tokenizer.json").write_text(tiny_tokenizer)

    with pytest.raises(ModelUnusable, match="otherwise than was measured"):
        RiskModel.load(reseal(start_up, **{name: config[name] for name in ("checks", "labels", "cleaning", "window")}))


def test_the_directory_must_hold_the_model_that_was_asked_for(directory):
    identity = RiskModel.load(directory, expected=ModelReference("tiny-xlmr", "1")).identity

    assert RiskModel.load(directory, expected=identity.reference).identity == identity
    with pytest.raises(ModelUnusable, match=r"tiny-xlmr/2 holds tiny-xlmr/1"):
        RiskModel.load(directory, expected=ModelReference("tiny-xlmr", "2"))
    with pytest.raises(ModelUnusable, match="pinned"):
        RiskModel.load(directory, expected=ModelReference("tiny-xlmr", "1", "0" * 64))


@pytest.mark.parametrize("text", ["a/1", "risk-minilm-l6/1", f"a/1@{'0' * 64}"])
def test_a_reference_reads_what_it_writes(text):
    assert str(ModelReference.parse(text)) == text.split("@")[0]
    assert ModelReference.parse(text).seal == (text.split("@")[1] if "@" in text else None)


@pytest.mark.parametrize(
    "text", ["", "a", "a/", "/1", "a/b/c", "../etc/1", "a/..", "A/1", "a/1@", "a/1@zz", "a b/1", "a/1\n", f"{'a' * 65}/1"]
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ValueError, match=r"named by|pinned by"):
        ModelReference.parse(text)
