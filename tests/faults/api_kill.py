"""Row 1: kill -9 of the appointments API under 20 writers; every answer stands in PostgreSQL and Kafka, and nothing else does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from tests.faults.bookings import Clinic, book_until, differences, open_clinic
from tests.faults.lab import START_SECONDS, Lab, World
from tests.faults.outbox_load import drained
from tests.faults.row import Finding, until

from local_stack.services import ServiceProcess

WRITERS = 20
SHORT, LONG = (20, 5_000), (200, 100_000)


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Kills and bookings as the matrix says; then the same in small with the outbox switched off, which must be noticed."""
    kills, count = LONG if long else SHORT
    async with lab.world() as world:
        wrong, figures = await _round(world, kills=kills, count=count, rng=rng)
        planted, _ = await _round(world, kills=1, count=100, rng=rng, extra={"APPOINTMENTS_UNSAFE_OUTBOX_OFF": "1"})
    return Finding(wrong, kills, figures, planted_bug_seen=bool(planted))


async def _round(
    world: World, *, kills: int, count: int, rng: random.Random, extra: dict[str, str] | None = None
) -> tuple[list[str], dict[str, object]]:
    """Two APIs share the load: while one starts again after its kill, the other has it all."""
    clinic = await open_clinic(world, therapists=WRITERS)
    processes = [("relay", 1), ("api", 1), ("api", 2)]
    relay, *apis = await asyncio.gather(
        *(world.started("appointments", name, instance=number, extra=extra) for name, number in processes)
    )
    load = asyncio.create_task(book_until(world, clinic, *(api.port for api in apis), writers=WRITERS, count=count))
    done = await _kill_along(apis, load, clinic, kills=kills, count=count, rng=rng)
    await load
    await drained(world, "appointments")
    wrong = await differences(world, clinic)
    if done < kills:
        wrong.append(f"only {done} of {kills} kills happened before the load was over")
    for process in (relay, *apis):
        await asyncio.to_thread(process.kill)
    return wrong, {"bookings": len(clinic.accepted), "unanswered": clinic.unanswered, "refused": len(clinic.refused)}


async def _kill_along(
    apis: Sequence[ServiceProcess], load: asyncio.Task[None], clinic: Clinic, *, kills: int, count: int, rng: random.Random
) -> int:
    """Spread the kills over the load, each at a moment of its own; only an API that is at work is killed."""
    for number in range(kills):
        api = apis[number % len(apis)]
        await asyncio.to_thread(api.wait_ready, START_SECONDS)
        await _reached(clinic, count * (number + rng.random()) / (kills + 1), load)
        if load.done():
            return number
        await asyncio.to_thread(api.kill)
        api.start()
        if (number + 1) % max(5, kills // 10) == 0:
            print(f"   {number + 1} of {kills} kills, {len(clinic.accepted)} bookings", flush=True)
    return kills


async def _reached(clinic: Clinic, threshold: float, load: asyncio.Task[None]) -> None:
    async def is_there() -> bool:
        return load.done() or len(clinic.accepted) + len(clinic.refused) >= threshold

    await until(is_there, seconds=120, what="the next part of the load", pause=0.005)
