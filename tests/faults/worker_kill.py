"""Row 4: billing workers are killed and rebalanced, one, then three, then one, while events come twice and out of order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer
from tests.faults.billed import differences, set_terms
from tests.faults.crew import kill_some, plan_of_kills, resize
from tests.faults.lab import Lab, World
from tests.faults.log_reader import is_read, read_topic
from tests.faults.row import Finding, until
from tests.faults.visit_stories import Story, random_story, random_terms, told_badly

from bloom_events.envelope import Envelope, to_kafka
from bloom_events.topics import APPOINTMENTS, dead_letter
from local_stack.services import ServiceProcess
from service_kit.database import Connection

GROUP = "billing"
SHORT, LONG = (20, 600), (300, 12_000)
# Silent workers are given up sooner than in operation, so that kills and not waits fill the row.
_EXTRA = {"BILLING_WORKER_SESSION_SECONDS": "1.5"}
_LIMIT_SECONDS = 180.0


@dataclass
class Scene:
    """The world of this row: where the events go in, the workers, and what the events have to come to."""

    world: World
    books: Connection
    producer: Producer
    rng: random.Random

    def publish(self, events: Sequence[Envelope[Any]]) -> None:
        """Put these events on the log, and return when it has them."""
        for event in events:
            message = to_kafka(event)
            self.producer.produce(message.topic, key=message.key, value=message.value, headers=dict(message.headers))
            self.producer.poll(0)
        if self.producer.flush(30):
            raise TimeoutError("Kafka did not take the events")

    async def handled(self) -> int:
        """How many events have had an effect."""
        return int(await self.books.fetchval("select coalesce(sum(events_handled), 0) from visits"))

    async def stories(self, count: int, tenants: int) -> list[Story]:
        """Visits of new tenants, whose terms are set."""
        terms = [random_terms(self.rng) for _ in range(tenants)]
        for each in terms:
            await set_terms(self.books, each)
        return [random_story(self.rng.choice(terms), self.rng) for _ in range(count)]


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Kills and visits as the matrix says; then the same in small with the inbox switched off, which must be noticed."""
    kills, visits = LONG if long else SHORT
    async with lab.world() as world:
        books = await world.superuser("billing")
        try:
            scene = Scene(
                world, books, Producer({"bootstrap.servers": world.kafka.bootstrap, "acks": "all", "log_level": 0}), rng
            )
            wrong, figures = await _under_kills(scene, kills=kills, visits=visits)
            return Finding(wrong, kills, figures, planted_bug_seen=await _bug_is_seen(scene))
        finally:
            await books.close()


async def _under_kills(scene: Scene, *, kills: int, visits: int) -> tuple[list[str], dict[str, object]]:
    stories = await scene.stories(visits, tenants=3)
    told = told_badly(stories, scene.rng)
    crew = [await scene.world.process("billing", "worker", instance=number, extra=_EXTRA) for number in (1, 2, 3)]
    plan = plan_of_kills(kills, scene.rng)
    portions = _portions(told, len(plan))
    for number, (portion, (workers, deaths)) in enumerate(zip(portions, plan, strict=True), start=1):
        await resize(crew, workers)
        await _one_round(scene, crew[:workers], portion, deaths)
        if number % (1 + len(plan) // 10) == 0:
            print(f"   round {number} of {len(plan)}: {deaths} of {workers} killed, {await scene.handled()} handled", flush=True)
    await _all_read(scene)
    published = sum(len(story.events) for story in stories)
    wrong = await differences(scene.books, stories)
    wrong += await asyncio.to_thread(_wrong_dead_letters, scene.world)
    handled = await scene.handled()
    figures: dict[str, object] = {"visits": visits, "events": published, "deliveries": len(told), "handled": handled}
    for worker in crew:
        await asyncio.to_thread(worker.kill)
    return wrong, figures


def _portions(told: Sequence[Envelope[Any]], count: int) -> list[Sequence[Envelope[Any]]]:
    size = -(-len(told) // count)
    return [told[start : start + size] for start in range(0, size * count, size)]


async def _one_round(scene: Scene, crew: Sequence[ServiceProcess], portion: Sequence[Envelope[Any]], deaths: int) -> None:
    """Publish, and once a part of it is handled kill workers one after the other; each starts again at once."""
    before = await scene.handled()
    scene.publish(portion)
    enough = before + int(len({event.id for event in portion}) * scene.rng.uniform(0.05, 0.6))

    async def is_under_way() -> bool:
        return await scene.handled() >= enough

    await until(is_under_way, seconds=_LIMIT_SECONDS, what="the next part of the events", pause=0.01)
    await kill_some(crew, deaths, scene.rng)


async def _all_read(scene: Scene) -> None:
    """Until every delivery, the second ones too, has been acknowledged."""
    bootstrap = scene.world.kafka.bootstrap

    async def is_done() -> bool:
        return await asyncio.to_thread(is_read, bootstrap, APPOINTMENTS.name, GROUP)

    await until(is_done, seconds=_LIMIT_SECONDS, what="the end of the log", pause=0.2)


def _wrong_dead_letters(world: World) -> list[str]:
    parked = read_topic(world.kafka.bootstrap, dead_letter(APPOINTMENTS, GROUP).name)
    return [f"{len(parked)} events were parked"] if parked else []


async def _bug_is_seen(scene: Scene) -> bool:
    """With the inbox off the invoices are still right, thanks to revisions; that events had an effect twice must show."""
    stories = await scene.stories(40, tenants=1)
    worker = await scene.world.process("billing", "worker", instance=4, extra={**_EXTRA, "BILLING_UNSAFE_INBOX_OFF": "1"})
    scene.publish(told_badly(stories, scene.rng))
    worker.start()
    await _all_read(scene)
    await asyncio.to_thread(worker.kill)
    return any("twice" in each for each in await differences(scene.books, stories))
