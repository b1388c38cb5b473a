"""Rows about scoring: the quantised graph as the service runs it against PyTorch and against the full graph.

Batch 1, one thread each, from token ids to logits, per second of processor time. Every side is a process of its own that waits
while the other one measures.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from operator import le
from pathlib import Path

from tests.bench.measure import paired

from local_stack.paths import cache_folder
from tools.results import Row
from tools.steps import ROOT

LENGTHS = (16, 64, 128)
ROUNDS, LONG_ROUNDS = 5, 10
SECONDS, LONG_SECONDS = 0.5, 3.0
TRAINING = ROOT / ".venv-train"
START_UP = ROOT / "services/ml-scoring/models/risk-minilm-l6/1/model.onnx"
TORCH_GOALS: Mapping[str, tuple[float, float, float]] = {"minilm": (7, 5, 4), "xlmr": (5.5, 5.5, 5.5)}
ORT_GOAL = 1.9


class Side:
    """A process that measures when it is asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        if self._process.stdout is None or not (line := await self._process.stdout.readline()):
            raise RuntimeError("a side of the benchmark has ended")
        return line.decode().strip()

    async def rate(self, length: int, seconds: float) -> float:
        """Sequences of that length per second of processor time."""
        if self._process.stdin is None:
            raise RuntimeError("a side of the benchmark cannot be asked")
        self._process.stdin.write(f"{length} {seconds}\n".encode())
        return float(await self.line())


@asynccontextmanager
async def running(python: Path | str, module: str, *arguments: str) -> AsyncIterator[Side]:
    """The side as a process, ready when the block begins, gone when it ends."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(str(python), "-m", module, *arguments, stdin=pipe, stdout=pipe, cwd=ROOT)
    try:
        side = Side(process)
        if await side.line() != "ready":
            raise RuntimeError(f"{module} did not start")
        yield side
    finally:
        process.kill()
        await process.wait()


async def score_vs_torch_minilm(*, long: bool) -> list[Row]:
    """The start-up model against PyTorch with a model of the same shape."""
    ensure_training_environment()
    return await against_torch("minilm", START_UP, long=long)


async def score_vs_torch_xlmr(*, long: bool) -> list[Row]:
    """XLM-RoBERTa's base shape with random weights, exported and quantised as the start-up model is."""
    return await against_torch("xlmr", graphs("xlmr") / "int8.onnx", long=long)


async def score_vs_ort(*, long: bool) -> list[Row]:
    """Int8 against the full graph, both in the service's own session."""
    folder = graphs("minilm")
    async with onnx(START_UP) as ours, onnx(folder / "fp32.onnx") as theirs:
        goals = dict.fromkeys(LENGTHS, ORT_GOAL)
        return await rows("score-vs-ort", "MiniLM int8 over ONNX fp32", ours, theirs, goals, long=long)


async def against_torch(shape: str, graph: Path, *, long: bool) -> list[Row]:
    """A graph against PyTorch, per length."""
    goals = dict(zip(LENGTHS, TORCH_GOALS[shape], strict=True))
    async with onnx(graph) as ours, running(TRAINING / "bin/python", "tests.bench.torch_scores", "serve", shape) as theirs:
        return await rows(f"score-vs-torch-{shape}", f"{shape} int8 over PyTorch fp32", ours, theirs, goals, long=long)


async def rows(id_: str, name: str, ours: Side, theirs: Side, goals: Mapping[int, float], *, long: bool) -> list[Row]:
    """One row per length, the sides measured in turn."""
    found, seconds = list[Row](), LONG_SECONDS if long else SECONDS
    for length, goal in goals.items():
        sides = (partial(side.rate, length, seconds) for side in (ours, theirs))
        pair = await paired(LONG_ROUNDS if long else ROUNDS, *sides, say=f"{id_}, {length} tokens", unit="sequences/s")
        title, unit = f"{name}, {length} tokens", "sequences_per_s"
        found.append(pair.row(f"{id_}-{length}", title, goal=f">= {goal}", ok=partial(le, goal), unit=unit))
    return found


def onnx(graph: Path) -> AbstractAsyncContextManager[Side]:
    """A graph in the service's session."""
    return running(sys.executable, "tests.bench.score_loop", str(graph))


def graphs(shape: str) -> Path:
    """The folder with both graphs of a shape, exported once."""
    ensure_training_environment()
    folder = cache_folder() / f"graphs-{shape}"
    if not (folder / "int8.onnx").exists():
        print(f"   exporting and quantising {shape} with random weights", flush=True)
        subprocess.run([TRAINING / "bin/python", "-m", "tests.bench.torch_scores", "graphs", shape, folder], check=True, cwd=ROOT)
    return folder


def ensure_training_environment() -> None:
    """PyTorch lives in an environment of its own, which is made when it is missing."""
    subprocess.run(["make", "train-setup"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
