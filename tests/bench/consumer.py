"""Row about the inbox: a batch consumer that handles each event once against the same consumer that does not look."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from tests.bench.inbox_consumer import TABLE
from tests.bench.measure import paired
from tests.bench.relay import producer_rate
from tests.faults.lab import Lab, World

from tools.results import Row

EVENTS = 100_000
ROUNDS, LONG_ROUNDS = 4, 10
_groups = (f"bench-inbox-{number}" for number in itertools.count())


async def consumer_vs_no_inbox(*, long: bool) -> list[Row]:
    """Events per second of whole fetches, each one transaction, with the inbox over without."""
    async with Lab({"max_connections": "100", "shared_buffers": "256MB", "max_wal_size": "2GB"}) as lab, lab.world() as world:
        await _prepare(world)
        rounds = LONG_ROUNDS if long else ROUNDS
        pair = await paired(
            rounds, lambda: _round(world, "with"), lambda: _round(world, "without"), say="with, without inbox", unit="events/s"
        )
    name = "consumer with inbox over the same without"
    return [
        pair.row("consumer-vs-no-inbox", name, goal=">= 0.5", ok=lambda ratio: ratio >= 0.5, unit="events_per_s", events=EVENTS)
    ]


async def _prepare(world: World) -> None:
    await world.database("billing")
    connection = await world.superuser("billing")
    await connection.execute(TABLE)
    await connection.execute("grant all on bench_seen to billing_app")
    await connection.close()
    await producer_rate(world, EVENTS)


async def _round(world: World, how: str) -> float:
    environment = {
        **os.environ,
        "BILLING_ENVIRONMENT": "test",
        "BILLING_DATABASE_URL": world.databases["billing"].app_url,
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": world.kafka.bootstrap,
    }
    command = [sys.executable, "-m", "tests.bench.inbox_consumer", next(_groups), str(EVENTS), how]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the consumer {how} inbox failed")
    return float(printed.split()[-1])
