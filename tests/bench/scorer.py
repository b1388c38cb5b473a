"""Row about the scoring worker: from messages on Kafka to stored analyses, against the model's graph alone on the same texts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg
import psutil
from tests.bench.chat import produce, texts
from tests.bench.key_server import ConversationKeyServer
from tests.bench.measure import paired
from tests.faults.lab import Lab, World
from tests.faults.row import until

from local_stack.own_settings import MODELS
from local_stack.process import ChildProcess
from local_stack.services import ServiceProcess
from service_kit.service_tokens import new_service_key
from tools.results import Row

MODEL = MODELS / "risk-minilm-l6" / "1"
MESSAGES, LONG_MESSAGES = 4_000, 20_000
ROUNDS, LONG_ROUNDS = 4, 8
_LIMIT_SECONDS = 600.0


class Costs:
    """Milliseconds of processor time per message, by who spent them; on a crowded machine they say more than rates."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.messages: dict[str, int] = defaultdict(int)

    def add(self, who: str, seconds: float, messages: int) -> None:
        """So many seconds were spent on so many messages."""
        self.spent[who] += seconds
        self.messages[who] += messages

    def per_message(self) -> dict[str, float]:
        """Milliseconds per message."""
        return {who: round(1000 * spent / self.messages[who], 3) for who, spent in self.spent.items()}


class Bench:
    """One worker, and what it is measured by."""

    def __init__(self, world: World, worker: ServiceProcess, rows: asyncpg.Connection[asyncpg.Record], count: int) -> None:
        self._world, self._rows, self._count = world, rows, count
        self._parts: dict[str, Sequence[ChildProcess]] = {
            "worker": worker.processes,
            "postgresql": world.postgres.processes,
            "kafka": [node.process for node in world.kafka.nodes.values()],
        }
        self.costs = Costs()

    async def scored(self) -> float:
        """Analyses per second, from when Kafka has all messages until the last is stored; those stored before do not count."""
        before = await self._analyses()
        await asyncio.to_thread(produce, self._world.kafka.bootstrap, texts(self._count))
        begun, started = await self._analyses(), time.monotonic()
        used = {name: _processor_seconds(part) for name, part in self._parts.items()}

        async def all_stored() -> bool:
            return await self._analyses() == before + self._count

        await until(all_stored, seconds=_LIMIT_SECONDS, what="an analysis of every message", pause=0.05)
        took, counted = time.monotonic() - started, before + self._count - begun
        for name, part in self._parts.items():
            self.costs.add(name, _processor_seconds(part) - used[name], counted)
        return counted / took

    async def bare(self) -> float:
        """Texts per second of the graph alone."""
        command = [sys.executable, "-m", "tests.bench.bare_scorer", str(MODEL), str(self._count), str(os.cpu_count() or 1)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("the bare loop failed")
        rate, seconds = map(float, printed.split())
        self.costs.add("bare", seconds, self._count)
        return rate

    async def _analyses(self) -> int:
        return int(await self._rows.fetchval("select count(*) from analyses"))


async def scorer_end_to_end(*, long: bool) -> list[Row]:
    """Messages per second of one worker (fetch, key, unseal, score, store, tell) over the bare loop on the same texts."""
    count, rounds = (LONG_MESSAGES, LONG_ROUNDS) if long else (MESSAGES, ROUNDS)
    async with Lab({"max_connections": "100", "shared_buffers": "256MB"}) as lab, lab.world() as world, _worker(world) as worker:
        rows = await world.superuser("ml-scoring")
        bench = Bench(world, worker, rows, count)
        try:
            pair = await paired(rounds, bench.scored, bench.bare, say="worker, bare loop", unit="messages/s")
        finally:
            await rows.close()
    costs = bench.costs.per_message()
    detail = {"messages": count, "processor_ms_per_message": costs}
    print(f"   processor ms per message: {costs}", flush=True)
    name = "scoring worker end to end over the bare ONNX loop"
    return [pair.row("scorer-end-to-end", name, goal=">= 0.7", ok=lambda ratio: ratio >= 0.7, unit="messages_per_s", **detail)]


@asynccontextmanager
async def _worker(world: World) -> AsyncIterator[ServiceProcess]:
    keys = ConversationKeyServer()
    told = {"MODELS": str(MODELS), "MESSAGING_URL": keys.url, "SERVICE_KEY": new_service_key()}
    extra = {f"ML_SCORING_{name}": value for name, value in told.items()}
    try:
        yield await world.started("ml-scoring", "worker", extra=extra)
    finally:
        keys.stop()


def _processor_seconds(part: Sequence[ChildProcess]) -> float:
    """What the processes and all below them have used of the processors."""
    seconds = 0.0
    for root in part:
        pid = root.pid
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)] if pid else ():
            # One that ended meanwhile has nothing more to say.
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds += times.user + times.system
    return seconds
