"""From weights to graphs: safetensors to fp32 to ONNX to int8, always the same bytes from the same weights and packages."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from bloom_events.risk import RiskLabel

OPSET = 17
# What tracing is shown; every axis but the classes stays open.
_TRACED_LENGTH = 16


class Logits(torch.nn.Module):  # type: ignore[misc]  # the checked environment has no PyTorch
    """The model as the graph has it: tensors in by name, logits out."""

    def __init__(self, model: torch.nn.Module, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.model(**dict(zip(self.names, tensors, strict=True))).logits


def graphs(source: Path, work: Path) -> tuple[Path, Path]:
    """The fp32 and the int8 graph of a trained classifier."""
    full, small = work / "fp32.onnx", work / "int8.onnx"
    if not full.exists():
        model = AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32, attn_implementation="eager")
        trace(model.eval(), full)
    if not small.exists():
        quantise(full, small)
    return full, small


def labels(source: Path) -> list[RiskLabel]:
    """The classes in the order of the graph's answer."""
    named = json.loads((source / "config.json").read_text())["id2label"]
    return [RiskLabel(named[str(number)]) for number in range(len(named))]


def input_names(model: torch.nn.Module) -> list[str]:
    """What a graph takes: XLM-RoBERTa knows one type of token only, so its graph has no token_type_ids."""
    named = ["input_ids", "attention_mask"]
    return [*named, "token_type_ids"] if model.config.type_vocab_size > 1 else named


def trace(model: torch.nn.Module, into: Path) -> None:
    """Export by tracing: the graph of the newer exporter is not quantised as well."""
    names = input_names(model)
    ids = torch.full((1, _TRACED_LENGTH), 5, dtype=torch.int64)
    shown = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    axes = {name: {0: "batch", 1: "length"} for name in names} | {"logits": {0: "batch"}}
    draft = into.with_suffix(".draft")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns about every branch that it fixes
        torch.onnx.export(
            Logits(model, names),
            tuple(shown[name] for name in names),
            str(draft),
            input_names=names,
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    draft.rename(into)
    print(f"fp32 graph: {into.stat().st_size:,} bytes, inputs {', '.join(names)}")


def quantise(full: Path, into: Path) -> None:
    """Weights to int8 with a scale per channel: per tensor the cosine to fp32 falls from 0.99 to 0.96."""
    logging.getLogger().setLevel(logging.ERROR)  # it asks for a preparation that made this graph slower
    draft = into.with_suffix(".draft")
    quantize_dynamic(full, draft, weight_type=QuantType.QInt8, per_channel=True)
    draft.rename(into)
    print(f"int8 graph: {into.stat().st_size:,} bytes")


def tokenizer(source: Path, work: Path) -> Path:
    """The tokenizer without padding and truncation, which would drop text in silence."""
    into = work / "tokenizer.json"
    loaded = Tokenizer.from_file(str(source / "tokenizer.json"))
    loaded.no_padding()
    loaded.no_truncation()
    loaded.save(str(into), pretty=False)
    return into
