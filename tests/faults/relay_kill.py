"""Row 2: the relay kills itself at its worst moments, again and again; what it sends twice is bounded and known by its id."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from dataclasses import dataclass, field
from typing import get_args

from pydantic import SecretStr
from tests.faults.lab import Lab, World
from tests.faults.log_reader import read_topic
from tests.faults.outbox_load import OutboxLoad, drained, pool_of, waiting
from tests.faults.row import Finding, until

from bloom_events.topics import APPOINTMENTS
from local_stack.paths import ROOT
from local_stack.process import ChildProcess
from service_kit.relay.failpoints import FailpointName
from service_kit.relay.options import RelayOptions

SHORT, LONG = 40, 1000
# Two relays die side by side, one per processor of a small machine.
SERVICES = ("appointments", "billing")
WINDOW = RelayOptions(SecretStr(""), "").window_rows
# So much waits when a relay is killed after a full window: the bound of what comes twice is reached, not only kept.
BACKLOG, BACKLOG_EVERY = WINDOW + 2_000, 100


@dataclass
class Lane:
    """One service's outbox, its load, and how much each kill may have caused to be sent twice."""

    world: World
    service: str
    load: OutboxLoad
    rng: random.Random
    kills: int = 0
    bounds: list[int] = field(default_factory=list)

    async def kill(self, failpoint: str) -> None:
        """Start a relay that dies at this point; note how many rows it may have sent and not taken away."""
        extra = {"RELAY_FAILPOINT": failpoint}
        relay = await self.world.process(self.service, "relay", extra=extra)
        relay.start()
        await dead(relay.processes[0])
        relay.kill()
        self.kills += 1
        self.bounds.append(min(WINDOW, await waiting(self.world, self.service)))

    async def kill_often(self, kills: int) -> None:
        """Kills at points of chance under load; the first, and every hundredth, comes after a full window."""
        for number in range(kills):
            if number % BACKLOG_EVERY == 0:
                while await waiting(self.world, self.service) < BACKLOG:
                    await self.load.write(1_000)
                await self.kill("before-commit")
            else:
                await self.kill(f"{self.rng.choice(get_args(FailpointName))}:{self.rng.randint(1, 4)}")
            if (number + 1) % max(5, kills // 10) == 0:
                print(f"   {self.service}: {number + 1} of {kills} kills, {len(self.load.committed)} events", flush=True)


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Kills as the matrix says; then one relay that does not wait for acknowledgements, whose loss must be noticed."""
    kills = LONG if long else SHORT
    async with lab.world() as world:
        lanes = await asyncio.gather(*(_lane(world, service, kills // len(SERVICES), rng) for service in SERVICES))
        records = await asyncio.to_thread(read_topic, world.kafka.bootstrap, APPOINTMENTS.name)
        wrong = [each for lane in lanes for each in lane.load.differences(records)]
        for lane in lanes:
            repeated, bound = lane.load.repeated(records), sum(lane.bounds)
            if repeated > bound:
                wrong.append(f"{lane.service}: {repeated} records came twice, at most {bound} may")
        figures: dict[str, object] = {
            "events": sum(len(lane.load.committed) for lane in lanes),
            "sent_twice": sum(lane.load.repeated(records) for lane in lanes),
            "may_come_twice": sum(sum(lane.bounds) for lane in lanes),
            "most_per_kill": max(max(lane.bounds) for lane in lanes),
            "window": WINDOW,
        }
        seen = await _bug_is_seen(world, rng)
    return Finding(wrong, sum(lane.kills for lane in lanes), figures, planted_bug_seen=seen)


async def _lane(world: World, service: str, kills: int, rng: random.Random) -> Lane:
    own = random.Random(rng.random())
    async with pool_of(world, service) as pool:
        lane = Lane(world, service, OutboxLoad(pool, own), own)
        async with lane.load.going_on(pause=0.02):
            await lane.kill_often(kills)
        relay = await world.started(service, "relay")
        await drained(world, service)
        await asyncio.to_thread(relay.stop)
    return lane


async def dead(process: ChildProcess) -> None:
    """Return when the process has ended by itself."""

    async def has_ended() -> bool:
        return not process.is_alive()

    await until(has_ended, seconds=120, what="the end of the relay at its failpoint", pause=0.02)


async def _bug_is_seen(world: World, rng: random.Random) -> bool:
    """What a relay that commits too early had in hand when it was killed is gone for good."""
    service = SERVICES[0]
    database = await world.database(service)
    careless = ChildProcess(
        "careless-relay",
        [sys.executable, "-m", "tests.faults.careless_relay", database.relay_url, world.kafka.bootstrap],
        log=world.folder / "careless.log",
        pid_file=world.folder / "careless.pid",
        environment={**os.environ, "RELAY_FAILPOINT": "after-produce:3"},
        folder=ROOT,
        guarded=True,
    )
    async with pool_of(world, service) as pool:
        load = OutboxLoad(pool, rng)
        careless.start()
        async with load.going_on():
            await dead(careless)
        careless.kill()
        relay = await world.started(service, "relay")
        await drained(world, service)
        await asyncio.to_thread(relay.stop)
    records = await asyncio.to_thread(read_topic, world.kafka.bootstrap, APPOINTMENTS.name)
    return any("not in Kafka" in each for each in load.differences(records))
