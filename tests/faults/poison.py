"""Row 12: poison among the records of the appointments topic; billing parks exactly that, handles the rest, and redrives."""

from __future__ import annotations

import asyncio
import http.client
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Producer
from structlog.testing import capture_logs
from tests.faults.billed import differences, set_terms
from tests.faults.lab import Lab, World
from tests.faults.log_reader import is_read, read_messages
from tests.faults.poison_kinds import foreign, newer, poisoned
from tests.faults.row import Finding, missing, until
from tests.faults.visit_stories import Story, random_story, random_terms, told_badly

from bloom_events.envelope import KafkaMessage, to_kafka
from bloom_events.topics import APPOINTMENTS, dead_letter
from local_stack.ports import HOST
from local_stack.services import ServiceProcess
from service_kit.consuming import Consuming, LogRecord, Record
from service_kit.database import Connection

SHORT, LONG = 10_000, 200_000
GROUP = "billing"
LETTERS = dead_letter(APPOINTMENTS, GROUP).name
_LIMIT_SECONDS = 900.0
_SKIPPED = re.compile(r'bloom_consumer_records_total\{[^}]*outcome="skipped"[^}]*\} ([0-9.e+]+)')

Place = tuple[int, int]
"""Partition and offset on the topic of appointments."""


@dataclass
class Mixture:
    """What was put on the log, by what has to become of it."""

    told: list[Story] = field(default_factory=list)
    refused_at_first: list[Story] = field(default_factory=list)
    poison: set[Place] = field(default_factory=set)
    refused: set[Place] = field(default_factory=set)
    foreign: int = 0
    newer: int = 0
    records: int = 0


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Records as the matrix says, one percent poison; then a consumer that drops what it cannot read, which must be noticed."""
    count = LONG if long else SHORT
    async with lab.world() as world:
        books = await world.superuser("billing")
        try:
            mixture = await _mix(world, books, count, rng)
            worker = await world.started("billing", "worker")
            await _handled(world, mixture)
            skipped = await asyncio.to_thread(_skipped, worker)
            letters = await asyncio.to_thread(read_messages, world.kafka.bootstrap, LETTERS)
            wrong = wrong_letters(letters, mixture.poison | mixture.refused)
            wrong += await differences(books, mixture.told)
            if skipped != mixture.foreign:
                wrong.append(f"{skipped} records skipped, not the {mixture.foreign} of unknown types")
            wrong += await _redriven(world, books, mixture)
            seen = await _bug_is_seen(world, mixture)
        finally:
            await books.close()
    figures: dict[str, object] = {
        "records": mixture.records,
        "events_handled": sum(len(story.events) for story in mixture.told),
        "parked": len(letters),
        "skipped": skipped,
        "from_a_newer_writer": mixture.newer,
        "redriven": len(mixture.refused),
    }
    return Finding(wrong, len(mixture.poison), figures, planted_bug_seen=seen)


async def _mix(world: World, books: Connection, count: int, rng: random.Random) -> Mixture:
    """Write everything; the database refuses one tenant's visits, as it would after a bad migration."""
    mixture, terms = Mixture(), [random_terms(rng) for _ in range(3)]
    for each in terms:
        await set_terms(books, each)
    await books.execute(f"alter table visits add constraint refused check (tenant_id <> '{terms[2].tenant_id}')")
    told = 0
    while told < count * 0.975:
        mixture.told.append(random_story(rng.choice(terms[:2]), rng))
        told += len(mixture.told[-1].events)
    while sum(len(story.events) for story in mixture.refused_at_first) < count // 400:
        mixture.refused_at_first.append(random_story(terms[2], rng))
    await asyncio.to_thread(_write, world, mixture, count, rng)
    print(f"   {mixture.records} records, {len(mixture.poison)} poison, {len(mixture.refused)} refused by the table", flush=True)
    return mixture


def _write(world: World, mixture: Mixture, count: int, rng: random.Random) -> None:
    """Write the events in the order of their stories, with one percent poison and one percent of unknown types between them."""
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap, "acks": "all", "log_level": 0})
    refused_tenants = {story.terms.tenant_id for story in mixture.refused_at_first}

    def write(message: KafkaMessage, places: set[Place] | None = None) -> None:
        def delivered(error: Any, at: Any) -> None:
            if places is not None:
                places.add((at.partition(), at.offset()))

        producer.produce(message.topic, message.value, message.key, headers=list(message.headers), on_delivery=delivered)
        producer.poll(0)
        mixture.records += 1

    events = told_badly([*mixture.told, *mixture.refused_at_first], rng, redelivered=0, out_of_order=0)
    extras = set(rng.sample(range(len(events)), count // 50))
    for number, event in enumerate(events):
        message = to_kafka(event)
        if number in extras and (len(extras) + number) % 2:
            write(poisoned(message, rng), mixture.poison)
        elif number in extras:
            write(foreign(message, rng))
            mixture.foreign += 1
        is_newer = rng.random() < 0.05
        mixture.newer += is_newer
        write(newer(message) if is_newer else message, mixture.refused if event.tenant_id in refused_tenants else None)
    if producer.flush(60):
        raise TimeoutError("Kafka did not take the records")


async def _handled(world: World, mixture: Mixture) -> None:
    async def is_handled() -> bool:
        return await asyncio.to_thread(is_read, world.kafka.bootstrap, APPOINTMENTS.name, GROUP)

    await until(is_handled, seconds=_LIMIT_SECONDS, what="the end of the log", pause=0.5)
    print(f"   {mixture.records} records acknowledged", flush=True)


def _skipped(worker: ServiceProcess) -> int:
    connection = http.client.HTTPConnection(HOST, worker.port, timeout=30)
    connection.request("GET", "/metrics")
    return int(sum(float(each) for each in _SKIPPED.findall(connection.getresponse().read().decode())))


def wrong_letters(letters: Sequence[Any], wanted: set[Place], *, attempts: int = 1) -> list[str]:
    """What is wrong with the dead letters: these places, each once, and nothing else."""
    found = [_origin(letter) for letter in letters]
    again = [each for each in found if each[1] != attempts]
    places = {place for place, _ in found}
    return [
        *missing(set(wanted), set(places), "records that cannot be handled are not parked"),
        *missing(set(places), set(wanted), "good records are parked"),
        *([f"{len(found) - len(places)} dead letters came twice"] if len(found) != len(places) else []),
        *([f"{len(again)} dead letters have another count of attempts than {attempts}"] if again else []),
    ]


def _origin(letter: Any) -> tuple[Place, int]:
    headers = dict(letter.headers() or ())
    return (int(headers["dlq_partition"]), int(headers["dlq_offset"])), int(headers["dlq_attempts"])


async def _redriven(world: World, books: Connection, mixture: Mixture) -> list[str]:
    """Mend the table and run the operator's command: what was refused is handled, what is broken is parked a second time."""
    before = len(await asyncio.to_thread(read_messages, world.kafka.bootstrap, LETTERS))
    await books.execute("alter table visits drop constraint refused")
    redrive = await world.process("billing", "redrive")
    environment = redrive.processes[0].environment
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "billing", "redrive"],
        env=environment,
        cwd=world.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return [f"redrive ended with {done.returncode}: {done.stderr[-300:]}"]
    print("   redrive: " + "; ".join(done.stdout.strip().splitlines()[-2:]), flush=True)
    letters = await asyncio.to_thread(read_messages, world.kafka.bootstrap, LETTERS)
    wrong = wrong_letters(letters[before:], mixture.poison, attempts=2)
    return wrong + await differences(books, [*mixture.told, *mixture.refused_at_first])


class _Forgetful:
    """A parker that says it has kept what it throws away."""

    async def park(self, record: Record, reason: str, attempts: int = 1) -> None:
        """Keep nothing."""


async def _bug_is_seen(world: World, mixture: Mixture) -> bool:
    """A consumer that passes over what it cannot read, on the same log, leaves no letters of it."""
    before = len(await asyncio.to_thread(read_messages, world.kafka.bootstrap, LETTERS))
    consuming = Consuming(GROUP, {}, _Forgetful(), max_parked_in_row=mixture.records)
    with capture_logs():
        for message in await asyncio.to_thread(read_messages, world.kafka.bootstrap, APPOINTMENTS.name):
            place = (message.topic(), message.partition(), message.offset(), 0)
            await consuming.consume(LogRecord(*place, message.key(), message.value(), message.headers() or []))
    letters = await asyncio.to_thread(read_messages, world.kafka.bootstrap, LETTERS)
    return any("not parked" in each for each in wrong_letters(letters[before:], mixture.poison))
