"""Row "disk": one of three brokers is killed, its disk wiped, and it comes back empty under load; the others fill it again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic
from tests.faults.lab import Lab, World
from tests.faults.log_reader import Seen, ends_of, read_topic
from tests.faults.outbox_load import OutboxLoad, drained, pool_of
from tests.faults.row import Finding, until

from bloom_events.topics import APPOINTMENTS
from service_kit.database import Pool

SHORT, LONG = 1, 20
_SERVICE = "appointments"
# A topic that is kept once: what the planted bug, one replica instead of three, comes to.
_KEPT_ONCE = "bloom.kept-once.v1"


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Disks lost one after the other; beside it a topic with one replica, whose loss must be noticed."""
    faults = LONG if long else SHORT
    async with lab.world(nodes=3) as world, pool_of(world, _SERVICE) as pool:
        victims = [rng.choice(list(world.kafka.nodes)) for _ in range(faults)]
        planted = await asyncio.to_thread(_keep_once, world, OutboxLoad(pool, rng), victims[0])
        relay = await world.started(_SERVICE, "relay")
        load, seconds = await _lose_disks(world, pool, victims, rng)
        await drained(world, _SERVICE)
        await asyncio.to_thread(relay.stop)
        # While every broker is there: the one that alone kept it may be the next to go.
        survivors = await _read_kept_once(world, victims[0])
        await _without(world, rng.choice([number for number in world.kafka.nodes if number != victims[-1]]))
        records = await asyncio.to_thread(read_topic, world.kafka.bootstrap, APPOINTMENTS.name)
    figures: dict[str, object] = {
        "events": len(load.committed),
        "sent_twice": load.repeated(records),
        "longest_refill_seconds": round(max(seconds), 1),
    }
    seen = any("not in Kafka" in each for each in planted.differences(survivors))
    return Finding(load.differences(records), faults, figures, planted_bug_seen=seen)


async def _lose_disks(world: World, pool: Pool, victims: Sequence[int], rng: random.Random) -> tuple[OutboxLoad, list[float]]:
    load, seconds = OutboxLoad(pool, rng), []
    async with load.going_on():
        for victim in victims:
            await _acknowledged(load, world, 200)
            await asyncio.to_thread(world.kafka.kill, victim)
            world.kafka.wipe(victim)
            await _acknowledged(load, world, 200)
            began = time.monotonic()
            await asyncio.to_thread(world.kafka.start_node, victim)
            await until(lambda: _is_whole(world), seconds=240, what=f"the refill of broker {victim}", pause=0.2)
            seconds.append(time.monotonic() - began)
            print(f"   broker {victim} lost its disk and was whole again after {seconds[-1]:.1f} s", flush=True)
        await _acknowledged(load, world, 200)
    return load, seconds


async def _acknowledged(load: OutboxLoad, world: World, more: int) -> None:
    """Return when so many more events are committed and Kafka has acknowledged them."""
    wanted = len(load.committed) + more
    last = 0

    async def is_acknowledged() -> bool:
        nonlocal last
        if len(load.committed) < wanted:
            return False
        connection = await world.superuser(_SERVICE)
        try:
            last = last or await connection.fetchval("select coalesce(max(id), 0) from outbox") or -1
            return not await connection.fetchval("select exists (select from outbox where id <= $1)", last)
        finally:
            await connection.close()

    await until(is_acknowledged, seconds=120, what="the acknowledgement of what was written", pause=0.05)


async def _is_whole(world: World) -> bool:
    """In sync and voting: without the vote of the node that was empty, the loss of another one would stop the controllers."""
    in_sync = await asyncio.to_thread(_all_in_sync, world.kafka.bootstrap, APPOINTMENTS.name)
    return in_sync and await asyncio.to_thread(world.kafka.is_ready)


def _all_in_sync(bootstrap: str, topic: str) -> bool:
    partitions = _partitions(bootstrap, topic)
    return bool(partitions) and all(len(each.isrs) == 3 for each in partitions)


def _partitions(bootstrap: str, topic: str) -> list[Any]:
    cluster = _cluster(bootstrap, topic)
    return [] if cluster is None else list(cluster.topics[topic].partitions.values())


def _cluster(bootstrap: str, topic: str) -> ClusterMetadata | None:
    """The brokers that are in and this topic, as one of them sees it; None when nobody answers."""
    try:
        return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(topic, timeout=5)
    except KafkaException:
        return None


async def _without(world: World, other: int) -> None:
    """Take another broker away, so that the one which was empty has to serve; return when all that was readable is again."""
    bootstrap = world.kafka.bootstrap
    before = await asyncio.to_thread(ends_of, bootstrap, APPOINTMENTS.name)
    await asyncio.to_thread(world.kafka.kill, other)

    async def is_served() -> bool:
        partitions = await asyncio.to_thread(_partitions, bootstrap, APPOINTMENTS.name)
        if not partitions or any(each.leader in {-1, other} for each in partitions):
            return False
        # A new leader shows the end of its log once its followers have followed.
        return await asyncio.to_thread(ends_of, bootstrap, APPOINTMENTS.name) == before

    await until(is_served, seconds=120, what="the log as it was, without the broker that was taken away", pause=0.1)


def _keep_once(world: World, load: OutboxLoad, node: int) -> OutboxLoad:
    admin = AdminClient({"bootstrap.servers": world.kafka.bootstrap, "log_level": 0})
    topic = NewTopic(_KEPT_ONCE, num_partitions=1, replica_assignment=[[node]], config={"min.insync.replicas": "1"})
    admin.create_topics([topic])[_KEPT_ONCE].result(30)
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap, "acks": "all", "log_level": 0})
    for message in load.messages(200):
        producer.produce(_KEPT_ONCE, message.value, message.key, headers=list(message.headers))
    if producer.flush(30):
        raise TimeoutError("Kafka did not take the events of the planted bug")
    return load


async def _read_kept_once(world: World, keeper: int) -> list[Seen]:
    """What is left of the topic that was kept once: what its broker leads again, or nothing if that was passed over.

    An emptied broker leads again only if it names its new disk before the controller lets it in. Let in and without the lead,
    it was refused as a leader, and there is no other: the log is gone for good.
    """
    bootstrap = world.kafka.bootstrap
    leaders: list[int] = []

    async def is_decided() -> bool:
        cluster = await asyncio.to_thread(_cluster, bootstrap, _KEPT_ONCE)
        if cluster is None or keeper not in cluster.brokers:
            return False
        leaders[:] = [each.leader for each in cluster.topics[_KEPT_ONCE].partitions.values()]
        return bool(leaders)

    await until(is_decided, seconds=120, what=f"the return of broker {keeper} to the topic that it alone kept", pause=0.1)
    if leaders == [-1]:
        print(f"   broker {keeper} leads nothing of what it alone kept", flush=True)
        return []
    return await asyncio.to_thread(read_topic, bootstrap, _KEPT_ONCE)
