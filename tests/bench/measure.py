"""Figures that can be trusted on a noisy machine: interleaved rounds, medians, ratios pair by pair."""

import os
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tools.results import Row

TINY = "BENCH_TINY"
"""Set to anything, rows whose sizes are `sized` run in a few seconds: to see whether they come to their end, not to measure."""

Round = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Paired:
    """What two things reached in turn, A B A B: their figures per round and the ratio A/B of each pair."""

    ours: Sequence[float]
    theirs: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """Ours over theirs, pair by pair."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]

    def row(self, id_: str, name: str, *, goal: str, ok: Callable[[float], bool], unit: str, **detail: object) -> Row:
        """The median ratio as a row; the detail holds medians and the spread of both sides."""
        ratio = statistics.median(self.ratios)
        found = {
            f"ours_{unit}": spread(self.ours),
            f"theirs_{unit}": spread(self.theirs),
            "ratios": spread(self.ratios),
            **detail,
        }
        return Row(id_, name, round(ratio, 3), "x", goal, ok(ratio), found)


async def paired(rounds: int, ours: Round, theirs: Round, *, say: str, unit: str) -> Paired:
    """Run one warm-up of each, then `rounds` pairs, the order within a pair changing; prints a line per pair."""
    await ours()
    await theirs()
    a: list[float] = []
    b: list[float] = []
    for number in range(rounds):
        order = ((ours, a), (theirs, b)) if number % 2 == 0 else ((theirs, b), (ours, a))
        for side, figures in order:
            figures.append(await side())
        print(f"   {say}: round {number + 1} of {rounds}: ours {a[-1]:,.1f}, theirs {b[-1]:,.1f} {unit}", flush=True)
    return Paired(a, b)


def sized(size: int, *, least: int = 1_000) -> int:
    """So many rounds or events; a hundredth of them, but `least`, when the row is only to be tried."""
    return max(least, size // 100) if os.environ.get(TINY) else size


def spread(figures: Sequence[float]) -> Mapping[str, float]:
    """Least, median and most."""
    return {"min": round(min(figures), 3), "median": round(statistics.median(figures), 3), "max": round(max(figures), 3)}


def percentile(figures: Sequence[float], share: float) -> float:
    """The figure below which `share` (0 to 1) of all lie; the nearest rank, so it is one of them."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
