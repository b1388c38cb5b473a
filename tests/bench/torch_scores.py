"""A classifier of random weights in PyTorch, eager, fp32, one thread; runs in .venv-train.

`python -m tests.bench.torch_scores graphs SHAPE FOLDER` exports it as the start-up model is exported and quantised;
`serve SHAPE` measures it: each line `length seconds` on its input is answered by sequences per second.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import torch
import transformers
from tests.bench.score_loop import serve

ROOT = Path(__file__).resolve().parents[2]

SHAPES: Mapping[str, transformers.PretrainedConfig] = {
    "minilm": transformers.BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, num_labels=7
    ),
    "xlmr": transformers.XLMRobertaConfig(
        vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1, pad_token_id=1, num_labels=7
    ),
}


def model_of(shape: str) -> transformers.PreTrainedModel:
    """The classifier; the weights are always the same ones."""
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(SHAPES[shape]).eval()


def graphs(shape: str, folder: Path) -> None:
    """Write fp32.onnx and int8.onnx."""
    sys.path.insert(0, str(ROOT / "services/ml-scoring"))
    from training.export import quantise, trace

    folder.mkdir(parents=True, exist_ok=True)
    model = model_of(shape)
    model.set_attn_implementation("eager")
    trace(model, folder / "fp32.onnx")
    quantise(folder / "fp32.onnx", folder / "int8.onnx")


def measure(shape: str) -> None:
    """Answer what is asked for on one thread."""
    torch.set_num_threads(1)
    model = model_of(shape)

    def run(ids: list[int]) -> None:
        tokens = torch.tensor([ids])
        model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits.numpy()

    with torch.inference_mode():
        serve(run)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    match sys.argv[1:]:
        case ["graphs", shape, folder]:
            graphs(shape, Path(folder))
        case ["serve", shape]:
            measure(shape)
        case _:
            sys.exit(__doc__)
