"""What the scoring worker is measured against: the graph alone, run by as many threads on texts that are tokenised already.

`python -m tests.bench.bare_scorer FOLDER COUNT THREADS` prints texts per second and the seconds of processor time that they took.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tests.bench.chat import texts
from tokenizers import Tokenizer

from ml_scoring.model.arithmetic import session_options


def feeds(folder: Path, count: int) -> list[dict[str, Any]]:
    """What the graph is given for each text; the texts are plain words, which no cleaning changes."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made = []
    for text in texts(count):
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        made.append({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})
    return made


def main(folder: Path, count: int, threads: int) -> tuple[float, float]:
    """Texts per second and processor seconds, after each text of a tenth was scored once to warm up."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", session_options(), providers=["CPUExecutionProvider"])
    prepared = feeds(folder, count)
    _run(session, iter(prepared[: count // 10]), threads)
    started, used = time.perf_counter(), time.process_time()
    _run(session, iter(prepared), threads)
    return count / (time.perf_counter() - started), time.process_time() - used


def _run(session: Any, waiting: Iterator[dict[str, Any]], threads: int) -> None:
    def work() -> None:
        # An iterator over a list gives each item to one thread only.
        for feed in waiting:
            session.run(["logits"], feed)

    started = [threading.Thread(target=work) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


if __name__ == "__main__":
    print(*main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
