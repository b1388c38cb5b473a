"""Workers that are killed, one, then three, then one: who is when alive, and who dies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from local_stack.services import ServiceProcess


def plan_of_kills(kills: int, rng: random.Random) -> list[tuple[int, int]]:
    """Rounds of (workers, kills among them): a tenth with one worker, most with three, a tenth with one again."""
    alone = max(1, kills // 20)
    plan, left = [(1, 1)] * alone, kills - 2 * alone
    while left:
        deaths = min(left, rng.choice([2, 3, 3]))
        plan.append((3, deaths))
        left -= deaths
    return [*plan, *([(1, 1)] * alone)]


async def resize(crew: Sequence[ServiceProcess], workers: int) -> None:
    """Start who is missing; send the others away in good order."""
    for number, worker in enumerate(crew):
        if number < workers:
            if not worker.processes[0].is_alive():
                worker.start()
        elif worker.processes[0].is_alive():
            await asyncio.to_thread(worker.stop)


async def kill_some(crew: Sequence[ServiceProcess], deaths: int, rng: random.Random) -> None:
    """`kill -9` so many of them, one shortly after the other; each starts again at once."""
    for worker in rng.sample(list(crew), deaths):
        await asyncio.to_thread(worker.kill)
        worker.start()
        await asyncio.sleep(rng.uniform(0, 0.4))
