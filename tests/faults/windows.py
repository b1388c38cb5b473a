"""Row 11: analytics workers are killed and rebalanced while events come late, twice and in disorder; a batch must agree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from confluent_kafka import Producer
from tests.faults.crew import kill_some, plan_of_kills, resize
from tests.faults.lab import Lab, World
from tests.faults.log_reader import is_read, read_topic
from tests.faults.many_events import Crowd, random_crowd
from tests.faults.row import Finding, until
from tests.faults.told_events import Teller, Told
from tests.faults.window_batch import EVERYBODY, Batch
from tests.faults.window_findings import Findings

from bloom_events.topics import TOPICS, dead_letter
from local_stack.services import ServiceProcess
from service_kit.database import Connection

CONSUMER = "analytics"
SHORT, LONG = (6, 100_000), (200, 10_000_000)
"""Kills, and different events."""

# In the first zone days are as they are everywhere else; in the second one has 25 hours, in the third midnight comes twice.
_ZONES = ("UTC", "Europe/Berlin", "Atlantic/Azores")
_LATENESS = timedelta(seconds=5)
_IDLE_SECONDS = 2.0
_LIMIT_SECONDS = 300.0
_SOURCES = [topic for topic in TOPICS if CONSUMER in topic.consumers]
_UNTOLD = """
    select (select count(*) from windows where changed_at is not null or not is_final and ends_at < now() - $1::interval)
        + (select count(*) from outbox)
"""


@dataclass
class Scene:
    """The world of this row: where the events go in, the tables, and who there is."""

    world: World
    tables: Connection
    producer: Producer
    rng: random.Random
    crowds: Sequence[Crowd]

    def batch(self, name: str, crowds: Sequence[Crowd]) -> Batch:
        """An empty batch about these people."""
        folder = self.world.folder / name
        folder.mkdir(parents=True)
        return Batch(folder, {crowd.tenant_id: crowd.zone for crowd in crowds})

    async def worker(self, number: int, **more: str) -> ServiceProcess:
        """A worker of analytics, not yet started."""
        told = {
            # A silent worker is given up sooner than in operation, so that kills and not waits fill the row.
            "WORKER_SESSION_SECONDS": "1.5",
            "ALLOWED_LATENESS_SECONDS": str(_LATENESS.total_seconds()),
            "IDLE_SECONDS": str(_IDLE_SECONDS),
            "TENANT_TIME_ZONES": orjson.dumps({str(each.tenant_id): each.zone for each in self.crowds}).decode(),
            **more,
        }
        extra = {f"ANALYTICS_{name}": value for name, value in told.items()}
        return await self.world.process("analytics", "worker", instance=number, extra=extra)

    async def publish(self, portion: Sequence[Told]) -> None:
        """Put these records on the log, and return when it has them."""
        for one in portion:
            self.producer.produce(one.topic, key=one.key, value=one.value, headers=dict(one.headers))
            self.producer.poll(0)
        if await asyncio.to_thread(self.producer.flush, 30):
            raise TimeoutError("Kafka did not take the events")

    async def read(self) -> int:
        """How many records are in the tables."""
        return int(await self.tables.fetchval("select coalesce(sum(next_offset), 0) from partitions"))

    async def all_read(self) -> None:
        """Until every record has been acknowledged."""
        bootstrap = self.world.kafka.bootstrap

        async def is_done() -> bool:
            return await asyncio.to_thread(lambda: all(is_read(bootstrap, topic.name, CONSUMER) for topic in _SOURCES))

        await until(is_done, seconds=_LIMIT_SECONDS, what="the end of the log", pause=0.2)

    async def all_told(self) -> None:
        """Until the newest state of every window is on its topic, and what has ended is final."""
        settled = _LATENESS + timedelta(seconds=_IDLE_SECONDS + 1)

        async def is_done() -> bool:
            return not await self.tables.fetchval(_UNTOLD, settled)

        await until(is_done, seconds=_LIMIT_SECONDS, what="the last result", pause=0.2)


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Kills and events as the matrix says; then some with the look for repeated ids switched off, which must be noticed."""
    kills, events = LONG if long else SHORT
    crowds = [random_crowd(rng, zone) for zone in _ZONES]
    async with lab.world() as world:
        tables = await world.superuser("analytics")
        producer = Producer(
            {"bootstrap.servers": world.kafka.bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        )
        scene = Scene(world, tables, producer, rng, crowds)
        relay = await world.started("analytics", "relay")
        try:
            wrong, figures = await _under_kills(scene, kills=kills, events=events)
            return Finding(wrong, kills, figures, planted_bug_seen=await _bug_is_seen(scene))
        finally:
            await asyncio.to_thread(relay.kill)
            await tables.close()


async def _under_kills(scene: Scene, *, kills: int, events: int) -> tuple[list[str], dict[str, object]]:
    batch = scene.batch("batch", scene.crowds)
    crew = [await scene.worker(number) for number in (1, 2, 3)]
    plan = plan_of_kills(kills, scene.rng)
    teller, told = Teller(scene.rng, scene.crowds, datetime.now(UTC)), 0
    for number, (workers, deaths) in enumerate(plan, start=1):
        await resize(crew, workers)
        portion = teller.portion(number, of=len(plan), events=events)
        batch.add(portion)
        told += len(portion)
        await _one_round(scene, crew[:workers], portion, deaths)
        print(f"   round {number} of {len(plan)}: {deaths} of {workers} killed, {await scene.read()} of {told} read", flush=True)
    await scene.all_read()
    await scene.all_told()
    for worker in crew:
        await asyncio.to_thread(worker.kill)
    wrong, compared = await _compared(scene, batch)
    return wrong, {"events": events, "records": told, **compared}


async def _one_round(scene: Scene, crew: Sequence[ServiceProcess], portion: Sequence[Told], deaths: int) -> None:
    """Publish, and once a part of it is read kill workers one after the other; each starts again at once."""
    enough = await scene.read() + int(len(portion) * scene.rng.uniform(0.05, 0.6))
    await scene.publish(portion)

    async def is_under_way() -> bool:
        return await scene.read() >= enough

    await until(is_under_way, seconds=_LIMIT_SECONDS, what="the next part of the events", pause=0.03)
    await kill_some(crew, deaths, scene.rng)


async def _compared(scene: Scene, batch: Batch) -> tuple[list[str], dict[str, object]]:
    different = await asyncio.to_thread(batch.reckon)
    findings = Findings(batch, [*(crowd.tenant_id for crowd in scene.crowds), EVERYBODY], scene.world.folder)
    await findings.load_state(scene.tables)
    wrong = await asyncio.to_thread(findings.load_results, scene.world.kafka.bootstrap)
    wrong += findings.wrong_state()
    wrong += findings.wrong_results(lateness=_LATENESS, asked_at=datetime.now(UTC) - timedelta(minutes=1))
    wrong += _wrong_dead_letters(scene.world)
    return wrong, {"different_events": different, **findings.figures()}


def _wrong_dead_letters(world: World) -> list[str]:
    parked = [seen for topic in _SOURCES for seen in read_topic(world.kafka.bootstrap, dead_letter(topic, CONSUMER).name)]
    return [f"{len(parked)} events were parked"] if parked else []


async def _bug_is_seen(scene: Scene) -> bool:
    """Without the look for repeated ids every record that came twice is counted twice: that must show."""
    crowd = random_crowd(scene.rng, "UTC")
    batch = scene.batch("bug", [crowd])
    portion = Teller(scene.rng, [crowd], datetime.now(UTC)).portion(1, of=1, events=2_000)
    batch.add(portion)
    await scene.publish(portion)
    worker = await scene.worker(4, UNSAFE_INBOX_OFF="1")
    worker.start()
    await scene.all_read()
    await asyncio.to_thread(worker.kill)
    await asyncio.to_thread(batch.reckon)
    findings = Findings(batch, [crowd.tenant_id], scene.world.folder)
    await findings.load_state(scene.tables)
    return any("windows differ" in each for each in findings.wrong_state())
