"""Row 7: the broker is killed, and the network before it stalls, loses answers and breaks; relay and worker go through it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import get_args

from confluent_kafka import Producer
from pydantic import SecretStr
from tests.faults.fault_proxy import Fault, FaultProxy
from tests.faults.lab import Lab, SideDoor, World
from tests.faults.log_reader import is_read, read_topic
from tests.faults.outbox_load import OutboxLoad, drained, pool_of
from tests.faults.row import Finding, until

from bloom_events.topics import APPOINTMENTS
from local_stack.ports import free_port
from local_stack.services import ServiceProcess
from service_kit.database import Connection
from service_kit.relay import Relay, RelayOptions

# Kills of the broker and faults of the network.
SHORT, LONG = (6, 44), (50, 950)
WRITER, READER = "appointments", "billing"


@dataclass
class Scene:
    """The world, the bad network in it, the load that goes in and the books that it comes to."""

    world: World
    proxy: FaultProxy
    load: OutboxLoad
    books: Connection
    rng: random.Random

    async def back(self) -> float:
        """Seconds until an event that is committed now has been acknowledged."""
        began, connection = time.monotonic(), await self.world.superuser(WRITER)
        try:
            await self.load.write(1)
            last = await connection.fetchval("select coalesce(max(id), 0) from outbox")

            async def is_acknowledged() -> bool:
                return not await connection.fetchval("select exists (select from outbox where id <= $1)", last)

            await until(is_acknowledged, seconds=120, what="the acknowledgement of what was written", pause=0.02)
        finally:
            await connection.close()
        return time.monotonic() - began

    async def kill_broker(self) -> float:
        """Kill it, start it, and return after how many seconds since its start an event was acknowledged."""
        kafka = self.world.kafka
        await asyncio.to_thread(kafka.kill, 1)
        await asyncio.sleep(self.rng.uniform(0, 0.3))
        began = time.monotonic()
        await asyncio.to_thread(kafka.start_node, 1)
        await self.back()
        return time.monotonic() - began

    async def all_read(self) -> None:
        """Return once the worker has acknowledged everything on the log."""

        async def is_done() -> bool:
            return await asyncio.to_thread(is_read, self.world.kafka.bootstrap, APPOINTMENTS.name, READER)

        await until(is_done, seconds=120, what="the end of the log", pause=0.3)


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Faults as the matrix says; then a relay without acknowledgements and a worker without inbox, which must be noticed."""
    kills, network = LONG if long else SHORT
    behind = free_port()
    proxy = FaultProxy(behind)
    await proxy.start()
    try:
        async with lab.world(side_door=SideDoor(behind, proxy.port)) as world, pool_of(world, WRITER) as pool:
            books = await world.superuser(READER)
            try:
                scene = Scene(world, proxy, OutboxLoad(pool, rng), books, rng)
                wrong, figures = await _under_faults(scene, kills, network)
                seen = await _bugs_are_seen(scene)
            finally:
                await books.close()
    finally:
        await proxy.stop()
    return Finding(wrong, kills + network, figures, planted_bug_seen=seen)


async def _under_faults(scene: Scene, kills: int, network: int) -> tuple[list[str], dict[str, object]]:
    world, load, rng = scene.world, scene.load, scene.rng
    relay = await world.started(WRITER, "relay", kafka=scene.proxy.address)
    worker = await world.started(READER, "worker", kafka=scene.proxy.address)
    plan: list[Fault | None] = [None] * kills + [rng.choice(get_args(Fault)) for _ in range(network)]
    rng.shuffle(plan)
    async with _kept_running(worker) as restarts:
        async with load.going_on(pause=0.04):
            returns = await _break_things(scene, plan)
        await drained(world, WRITER)
        await scene.all_read()
    records = await asyncio.to_thread(read_topic, world.kafka.bootstrap, APPOINTMENTS.name)
    wrong = [*load.differences(records), *await _twice(scene.books, load)]
    wrong += [] if relay.processes[0].is_alive() else ["the relay ended by itself"]
    for each in (relay, worker):
        await asyncio.to_thread(each.stop)
    figures: dict[str, object] = {
        "broker_kills": kills,
        "network_faults": network,
        "events": len(load.committed),
        "sent_twice": load.repeated(records),
        "worker_restarts": len(restarts),
        "longest_return_seconds": round(max(returns), 1),
    }
    return wrong, figures


async def _break_things(scene: Scene, plan: Sequence[Fault | None]) -> list[float]:
    """One fault after the other, None being a kill of the broker; the seconds that each of those kept events waiting."""
    returns = []
    for number, fault in enumerate(plan, start=1):
        if fault is None:
            returns.append(await scene.kill_broker())
        else:
            await scene.proxy.hit(fault, scene.rng)
            await asyncio.sleep(scene.rng.uniform(0, 0.2))
        if number % max(1, len(plan) // 5) == 0:
            print(f"   {number} of {len(plan)} faults, {len(scene.load.committed)} events", flush=True)
    return returns


@asynccontextmanager
async def _kept_running(worker: ServiceProcess) -> AsyncIterator[list[float]]:
    """Start the worker again whenever it gives up, as whoever runs it in operation does; note when."""
    restarts: list[float] = []

    async def watch() -> None:
        while True:
            if not worker.processes[0].is_alive():
                restarts.append(time.monotonic())
                worker.start()
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    try:
        yield restarts
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _twice(books: Connection, load: OutboxLoad) -> list[str]:
    """What billing made of the events: each has to have had its effect once."""
    query = "select appointment_id, events_handled from visits where tenant_id = $1"
    handled = {row[0]: row[1] for row in await books.fetch(query, load.tenant_id)}
    published: dict[object, int] = {}
    for key, _ in load.committed:
        published[key] = published.get(key, 0) + 1
    twice = sum(handled.get(key, 0) > count for key, count in published.items())
    never = sum(handled.get(key, 0) < count for key, count in published.items())
    return [
        *([f"{twice} appointments have had an event's effect twice"] if twice else []),
        *([f"{never} appointments miss an event's effect"] if never else []),
    ]


async def _bugs_are_seen(scene: Scene) -> bool:
    """Lost requests with acks=0 must show as lost, and records that come twice without an inbox as two effects."""
    world, proxy = scene.world, scene.proxy
    lost, repeated = (OutboxLoad(scene.load.database, scene.rng) for _ in range(2))
    database = await world.database(WRITER)
    careless = RelayOptions(
        dsn=SecretStr(database.relay_url),
        bootstrap=proxy.address,
        environment="test",
        producer={"acks": 0, "enable.idempotence": False},
    )
    stop = asyncio.Event()
    relaying = asyncio.create_task(Relay(careless).run(stop))
    await lost.write(50)
    await drained(world, WRITER)
    async with proxy.losing("requests"):
        await lost.write(50)
        await drained(world, WRITER)
    stop.set()
    await relaying
    await asyncio.to_thread(_send_twice, world, repeated)
    await world.started(READER, "worker", instance=2, extra={"BILLING_UNSAFE_INBOX_OFF": "1"})
    await scene.all_read()
    records = await asyncio.to_thread(read_topic, world.kafka.bootstrap, APPOINTMENTS.name)
    seen = lost.differences(records), await _twice(scene.books, repeated)
    print(f"   planted bugs: {seen[0]}, {seen[1]}", flush=True)
    return any("not in Kafka" in each for each in seen[0]) and any("twice" in each for each in seen[1])


def _send_twice(world: World, load: OutboxLoad) -> None:
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap, "acks": "all", "log_level": 0})
    for message in load.messages(50) * 2:
        producer.produce(message.topic, message.value, message.key, headers=list(message.headers))
    if producer.flush(30):
        raise TimeoutError("Kafka did not take the events of the planted bug")
