"""Row 3: kill -9 of PostgreSQL under bookings; what was answered stands, and API and relay go on by themselves."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from tests.faults.bookings import Clinic, book_until, differences, open_clinic
from tests.faults.lab import START_SECONDS, Lab, World
from tests.faults.log_reader import read_topic
from tests.faults.outbox_load import OutboxLoad, drained
from tests.faults.row import Finding, until

from bloom_events.topics import APPOINTMENTS
from local_stack.services import ServiceProcess

SHORT, LONG = 5, 50
WRITERS = 8
RESUME_SECONDS = 5.0
# Between two kills so many bookings are answered, give or take.
_APART = 40
_SERVICE = "appointments"


@dataclass
class Scene:
    """The service under load, and the probes that say when its relay works again."""

    world: World
    clinic: Clinic
    api: ServiceProcess
    rng: random.Random

    async def answered(self, more: int) -> None:
        """Return when so many more bookings have been answered."""
        wanted = len(self.clinic.accepted) + more

        async def is_there() -> bool:
            return len(self.clinic.accepted) >= wanted or bool(self.clinic.refused)

        await until(is_there, seconds=120, what="the next answers", pause=0.01)

    async def kill_postgres(self) -> None:
        """Kill the server with all its sessions, start it again, and return when it takes connections."""
        postgres = self.world.postgres
        await asyncio.to_thread(postgres.kill)
        postgres.start()
        await asyncio.to_thread(postgres.wait_ready, START_SECONDS)

    async def relay_works_again(self) -> tuple[float, OutboxLoad]:
        """Seconds until an event that is committed now has been acknowledged by Kafka, and that event."""
        began = time.monotonic()
        connection = await self.world.superuser(_SERVICE)
        try:
            probe = OutboxLoad(connection, self.rng, keys=1)
            await probe.write(1)

            async def is_acknowledged() -> bool:
                return not await connection.fetchval("select exists (select from outbox where tenant_id = $1)", probe.tenant_id)

            await until(is_acknowledged, seconds=60, what="the relay's return", pause=0.02)
        finally:
            await connection.close()
        return time.monotonic() - began, probe


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Kills as the matrix says; then one with commits that are answered before they are written, whose loss must be noticed."""
    kills = LONG if long else SHORT
    async with lab.world() as world:
        relay = await world.started(_SERVICE, "relay")
        api = await world.started(_SERVICE, "api")
        pids = [each.processes[0].pid for each in (relay, api)]
        scene = Scene(world, await open_clinic(world, therapists=WRITERS), api, rng)
        wrong, figures = await _under_kills(scene, kills)
        if pids != [each.processes[0].pid for each in (relay, api)]:
            wrong.append("the API or the relay had to be started again")
        seen = await _bug_is_seen(world, api, rng)
    return Finding(wrong, kills, figures, planted_bug_seen=seen)


async def _under_kills(scene: Scene, kills: int) -> tuple[list[str], dict[str, object]]:
    clinic, stop, resumed, probes = scene.clinic, asyncio.Event(), [], []
    load = asyncio.create_task(book_until(scene.world, clinic, scene.api.port, writers=WRITERS, stop=stop))
    for number in range(kills):
        await scene.answered(scene.rng.randrange(_APART // 2, _APART * 2))
        await scene.kill_postgres()
        seconds, probe = await scene.relay_works_again()
        resumed.append(seconds)
        probes.append(probe)
        if (number + 1) % max(1, kills // 5) == 0:
            print(f"   {number + 1} of {kills} kills, {len(clinic.accepted)} bookings, relay back in {seconds:.1f} s", flush=True)
    await scene.answered(_APART)
    stop.set()
    await load
    await drained(scene.world, _SERVICE)
    records = await asyncio.to_thread(read_topic, scene.world.kafka.bootstrap, APPOINTMENTS.name)
    wrong = [*await differences(scene.world, clinic), *(each for probe in probes for each in probe.differences(records))]
    if max(resumed) > RESUME_SECONDS:
        wrong.append(f"the relay took {max(resumed):.1f} s to go on")
    figures: dict[str, object] = {
        "bookings": len(clinic.accepted),
        "unanswered": clinic.unanswered,
        "sent_twice": len(records) - len({record.event_id for record in records}),
        "longest_resume_seconds": round(max(resumed), 2),
    }
    return wrong, figures


async def _bug_is_seen(world: World, api: ServiceProcess, rng: random.Random) -> bool:
    """Commits that are answered while they are still in PostgreSQL's memory do not outlive its kill."""
    connection = await world.superuser(_SERVICE)
    database = (await world.database(_SERVICE)).name
    for statement in (
        f"alter database {database} set synchronous_commit = off",
        # In the server's own configuration, which is written anew when it is started.
        "alter system set wal_writer_delay = '10s'",
        "alter system set wal_writer_flush_after = '1GB'",
        "select pg_reload_conf()",
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    ):
        await connection.execute(statement)
    await connection.close()
    clinic, stop = await open_clinic(world, therapists=2), asyncio.Event()
    scene = Scene(world, clinic, api, rng)
    load = asyncio.create_task(book_until(world, clinic, api.port, writers=2, stop=stop))
    await scene.answered(_APART)
    await scene.kill_postgres()
    stop.set()
    await load
    await drained(world, _SERVICE)
    return any("not in PostgreSQL" in each for each in await differences(world, clinic))
