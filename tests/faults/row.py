"""The shape of a row of the fault matrix."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tests.faults.lab import Lab

from tools.results import Row


class Run(Protocol):
    """Runs a row: `long` is the long form, `rng` the only source of chance."""

    def __call__(self, lab: Lab, *, long: bool, rng: random.Random) -> Awaitable[Finding]: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What a row found: `wrong` names everything that should not be (empty is good), `figures` is what was done and counted.

    `planted_bug_seen`: whether the checker turned red with the protection switched off; None where there is none to switch.
    """

    wrong: list[str]
    faults: int
    figures: Mapping[str, object]
    planted_bug_seen: bool | None = None


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One row of the matrix: what is broken, what must hold, and the program that does it."""

    id: str
    name: str
    goal: str
    program: Run

    async def run(self, lab: Lab, *, long: bool, rng: random.Random) -> Row:
        """Run the program and judge what it found."""
        found = await self.program(lab, long=long, rng=rng)
        ok = not found.wrong and found.planted_bug_seen is not False
        detail = {**found.figures, "planted_bug_seen": found.planted_bug_seen, "wrong": found.wrong[:10]}
        return Row(self.id, self.name, found.faults, "faults", self.goal, ok, detail)

    def failed(self, failure: Exception) -> Row:
        """The row when its program did not come to an end."""
        return Row(self.id, self.name, None, "faults", self.goal, False, {"failure": f"{type(failure).__name__}: {failure}"})


def missing(wanted: set[object], found: set[object], say: str) -> list[str]:
    """One sentence when something of `wanted` is not in `found`."""
    lost = wanted - found
    return [f"{len(lost)} {say}, e.g. {next(iter(lost))}"] if lost else []


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float, what: str, pause: float = 0.1) -> None:
    """Ask every `pause` seconds until the condition holds; TimeoutError names `what` when the seconds are over."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        await asyncio.sleep(pause)
