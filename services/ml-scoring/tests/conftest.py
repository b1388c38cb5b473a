"""A way to make models: tiny XLM-RoBERTas with random weights and a Unigram tokenizer trained here, as complete directories."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from bloom_events.risk import RiskLabel
from ml_scoring.model import RiskModel

MakeModel = Callable[..., Path]

START_UP = Path(__file__).parents[1] / "models/risk-minilm-l6/1"
SENTENCES = [
    "The appointment on Thursday suits me well, thank you very much.",
    "Mir geht es heute besser, ich habe lange geschlafen und danke Ihnen.",
    "Hoy me siento mejor, ayer dormí muy bien y di un paseo.",
    "Сегодня мне лучше, вчера я хорошо спала и гуляла в парке.",
    "اليوم أشعر بتحسن، نمت جيدا أمس ومشيت في الحديقة.",
    "今天我感觉好多了。昨天睡得很好。还去公园散步了。",
    "आज मैं बेहतर महसूस कर रहा हूँ, कल मुझे अच्छी नींद आई।",
    "今日は気分がいいです。昨日はよく眠れました 🙂 🌧️ 👍🏽",
]
LAYERS, WIDTH, HEADS, INNER, POSITIONS, WINDOW, OVERLAP, PADDING = 2, 32, 4, 64, 80, 48, 12, 1


def unigram_tokenizer() -> Tokenizer:
    """A small tokenizer of XLM-RoBERTa's kind: Unigram, spaces as a mark, `<s>` and `</s>` around the text."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=320, special_tokens=specials, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


class Graph:
    """Builds an ONNX graph step by step with random weights."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, value: Any) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value), f"w{len(self.weights)}"))
        return str(self.weights[-1].name)

    def weight(self, *shape: int, scale: float) -> str:
        return self.constant(self.random.normal(0, scale, shape).astype(np.float32))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [f"t{len(self.nodes)}"], **attributes))
        return str(self.nodes[-1].output[0])

    def linear(self, x: str, wide: int, deep: int, *, scale: float = 0.2) -> str:
        return self.op("Add", self.op("MatMul", x, self.weight(wide, deep, scale=scale)), self.weight(deep, scale=scale))

    def norm(self, x: str) -> str:
        ones, zeros = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return self.op("LayerNormalization", x, self.constant(ones), self.constant(zeros), axis=-1)

    def heads(self, x: str, order: list[int]) -> str:
        parted = self.op("Reshape", self.linear(x, WIDTH, WIDTH), self.constant(np.array([0, 0, HEADS, WIDTH // HEADS])))
        return self.op("Transpose", parted, perm=order)

    def attention(self, x: str, hidden: str) -> str:
        query, key, value = self.heads(x, [0, 2, 1, 3]), self.heads(x, [0, 2, 3, 1]), self.heads(x, [0, 2, 1, 3])
        scale = self.constant(np.float32(1 / math.sqrt(WIDTH // HEADS)))
        seen = self.op("Softmax", self.op("Add", self.op("Mul", self.op("MatMul", query, key), scale), hidden), axis=-1)
        joined = self.op("Transpose", self.op("MatMul", seen, value), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", joined, self.constant(np.array([0, 0, WIDTH]))), WIDTH, WIDTH)

    def inner(self, x: str) -> str:
        raised = self.linear(x, WIDTH, INNER)
        erf = self.op("Erf", self.op("Div", raised, self.constant(np.float32(math.sqrt(2)))))
        gelu = self.op(
            "Mul", self.op("Mul", raised, self.op("Add", erf, self.constant(np.float32(1)))), self.constant(np.float32(0.5))
        )
        return self.linear(gelu, INNER, WIDTH)


def xlm_roberta(vocabulary: int, seed: int, *, more_inputs: tuple[str, ...] = ()) -> Any:
    """The graph of a tiny XLM-RoBERTa classifier: two inputs, positions counted from the padding's id on, no token types."""
    graph = Graph(seed)
    mask = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    counted = graph.op("Mul", graph.op("CumSum", "attention_mask", graph.constant(np.int64(1))), "attention_mask")
    places = graph.op("Add", counted, graph.constant(np.int64(PADDING)))
    words = graph.op("Gather", graph.weight(vocabulary, WIDTH, scale=1), "input_ids")
    x = graph.norm(graph.op("Add", words, graph.op("Gather", graph.weight(POSITIONS, WIDTH, scale=0.3), places)))
    absent = graph.op("Mul", graph.op("Sub", graph.constant(np.float32(1)), mask), graph.constant(np.float32(-1e9)))
    hidden = graph.op("Unsqueeze", absent, graph.constant(np.array([1, 2])))
    for _ in range(LAYERS):
        x = graph.norm(graph.op("Add", x, graph.attention(x, hidden)))
        x = graph.norm(graph.op("Add", x, graph.inner(x)))
    first = graph.op("Gather", x, graph.constant(np.int64(0)), axis=1)
    dense = graph.op("Tanh", graph.linear(first, WIDTH, WIDTH))
    graph.nodes.append(helper.make_node("Identity", [graph.linear(dense, WIDTH, len(RiskLabel), scale=0.6)], ["logits"]))
    ids = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "n"]) for n in ("input_ids", "attention_mask", *more_inputs)]
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", len(RiskLabel)])
    made = helper.make_graph(graph.nodes, "xlm-roberta", ids, [out], graph.weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def seal(directory: Path, **changes: Any) -> Path:
    """Write config.json over whatever files the directory has; `changes` replace parts of it."""
    files = {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.name != "config.json"}
    config = {
        "format": 1,
        "name": directory.parent.name,
        "version": directory.name,
        "labels": list(RiskLabel),
        "cleaning": "none",
        "least_readable": 0.5,
        "window": {"tokens": WINDOW, "overlap": OVERLAP},
        "thresholds": {"moderate": 0.1, "high": 0.3, "critical": 0.6},
        "checks": {"tolerance": 0.5, "texts": [{"text": SENTENCES[0], "probabilities": dict.fromkeys(RiskLabel, 0.5)}]},
        "files": {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()},
    }
    (directory / "config.json").write_text(json.dumps(config | changes))
    return directory


@pytest.fixture(scope="session")
def tiny_tokenizer() -> str:
    """The tokenizer of the tiny models, as its file."""
    return str(unigram_tokenizer().to_str())


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Makes `root/name/version` with a tiny int8 XLM-RoBERTa of some seed; further arguments replace parts of its config."""
    tokenizer = unigram_tokenizer()

    def make(root: Path, name: str = "tiny-xlmr", version: str = "1", *, seed: int = 0, **changes: Any) -> Path:
        directory = root / name / version
        directory.mkdir(parents=True)
        whole = tmp_path_factory.mktemp("graph") / "whole.onnx"
        onnx.save(xlm_roberta(tokenizer.get_vocab_size(), seed), whole)
        quantize_dynamic(whole, directory / "model.onnx", weight_type=QuantType.QInt8, per_channel=True)
        tokenizer.save(str(directory / "tokenizer.json"))
        (directory / "MODEL_CARD.md").write_text(f"# {name} {version}\nRandom weights, for tests alone.\n")
        return seal(directory, **changes)

    return make


@pytest.fixture(scope="session")
def reseal() -> Callable[..., Path]:
    """Seals a directory anew after its files were changed."""
    return seal


@pytest.fixture(scope="session")
def start_up_model() -> RiskModel:
    """The model that the repository ships, loaded."""
    return RiskModel.load(START_UP)


@pytest.fixture(scope="session")
def tiny_xlmr(make_model: MakeModel, tmp_path_factory: pytest.TempPathFactory) -> RiskModel:
    """One tiny XLM-RoBERTa, loaded."""
    return RiskModel.load(make_model(tmp_path_factory.mktemp("models")))
