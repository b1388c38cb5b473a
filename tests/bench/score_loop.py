"""What every side of a scoring benchmark does: run one sequence after the other for a while and say how many a second."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

# Ids that every shape's vocabulary has and that none uses as a mark.
LEAST_ID, LARGEST_ID = 1000, 30_000
DIFFERENT = 16


def serve(run: Callable[[list[int]], object]) -> None:
    """Answer each line `length seconds` of the input by a line with the rate, until the input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        length, seconds = line.split()
        print(rate(run, int(length), float(seconds)), flush=True)


def rate(run: Callable[[list[int]], object], length: int, seconds: float) -> float:
    """Sequences of that length per second of processor time, one at a time.

    Each side has one thread, so on a quiet machine this is the time of the clock; on a crowded one it still is the work.
    """
    chosen = random.Random(length)
    sequences = [[chosen.randint(LEAST_ID, LARGEST_ID) for _ in range(length)] for _ in range(DIFFERENT)]
    run(sequences[0])
    started, done, passed = time.process_time(), 0, 0.0
    while passed < seconds:
        run(sequences[done % DIFFERENT])
        done += 1
        passed = time.process_time() - started
    return done / passed


if __name__ == "__main__":
    from pathlib import Path

    from ml_scoring.model.graph import Graph

    serve(Graph(Path(sys.argv[1]).read_bytes()).logits)
