"""A load without HTTP: events of many appointments go into one outbox through units of work, and are looked for on the log."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

from pydantic import SecretStr
from tests.faults.lab import World
from tests.faults.log_reader import Seen
from tests.faults.row import missing, until

from bloom_events.appointments import AppointmentConfirmed, VisitType
from bloom_events.envelope import KafkaMessage, to_kafka, wrap
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId, new_id
from service_kit.database import Connection, Pool, create_pool, is_unavailable
from service_kit.errors import ServiceUnavailable
from service_kit.unit_of_work import Context, UnitOfWork

Fact = tuple[UUID, int]
"""One event by what it says: the appointment and its revision. The id of the event is not known to who publishes it."""

_STARTS_AT = datetime(2027, 3, 1, 9, tzinfo=UTC)


@dataclass
class OutboxLoad:
    """One tenant's events, one transaction at a time. Whether those in doubt were committed, nobody was told."""

    database: Pool | Connection
    rng: random.Random
    keys: int = 24
    tenant_id: TenantId = field(default_factory=lambda: TenantId(uuid4()))
    committed: set[Fact] = field(default_factory=set)
    in_doubt: set[Fact] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.last = {AppointmentId(new_id()): 0 for _ in range(self.keys)}
        # The services take an appointment's row lock before they publish; here one lock does for all.
        self._lock = asyncio.Lock()

    def next_event(self) -> AppointmentConfirmed:
        """The next revision of any of the appointments."""
        appointment_id = self.rng.choice(list(self.last))
        self.last[appointment_id] += 1
        return AppointmentConfirmed(
            appointment_id=appointment_id,
            revision=self.last[appointment_id],
            patient_id=PatientId(self.tenant_id),
            therapist_id=TherapistId(self.tenant_id),
            visit_type=VisitType.STANDARD,
            starts_at=_STARTS_AT,
            ends_at=_STARTS_AT + timedelta(minutes=50),
        )

    async def write(self, count: int) -> bool:
        """One transaction with so many events; False when the database was away and nobody knows."""
        async with self._lock:
            return await self._write(count)

    async def _write(self, count: int) -> bool:
        events = [self.next_event() for _ in range(count)]
        facts = {(UUID(str(event.appointment_id)), event.revision) for event in events}
        context = Context(self.tenant_id, uuid4())
        try:
            async with UnitOfWork(self.database, source="/bloom/faults", context=context).begin() as transaction:
                await transaction.publish(*events)
        except Exception as error:
            if not (is_unavailable(error) or isinstance(error, OSError | ServiceUnavailable)):
                raise
            self.in_doubt |= facts
            return False
        self.committed |= facts
        return True

    def messages(self, count: int) -> list[KafkaMessage]:
        """So many events for a writer of its own that goes past the outbox; they count as committed."""
        events = [self.next_event() for _ in range(count)]
        self.committed |= {(UUID(str(event.appointment_id)), event.revision) for event in events}
        return [
            to_kafka(
                wrap(event, source="/bloom/faults", tenant_id=self.tenant_id, time=datetime.now(UTC), correlation_id=uuid4())
            )
            for event in events
        ]

    async def write_on(self, stop: asyncio.Event, *, pause: float = 0.01) -> None:
        """Transactions of one to five events, one after the other, until stopped."""
        while not stop.is_set():
            await self.write(self.rng.randint(1, 5))
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def going_on(self, *, pause: float = 0.01) -> AsyncIterator[None]:
        """Writes beside the block."""
        stop = asyncio.Event()
        writing = asyncio.create_task(self.write_on(stop, pause=pause))
        try:
            yield
        finally:
            stop.set()
            await writing

    def of_mine(self, records: Sequence[Seen]) -> list[Seen]:
        """The records of this tenant."""
        return [record for record in records if record.tenant_id == self.tenant_id]

    def differences(self, records: Sequence[Seen]) -> list[str]:
        """What is wrong on the log once repetitions of an event id are taken away: lost, never committed, out of order."""
        first = list({record.event_id: record for record in reversed(self.of_mine(records))}.values())[::-1]
        facts = [(UUID(record.key.decode()), cast("int", json.loads(record.value)["revision"])) for record in first]
        by_key: dict[UUID, list[int]] = {}
        for key, revision in facts:
            by_key.setdefault(key, []).append(revision)
        mixed = [key for key, revisions in by_key.items() if revisions != sorted(revisions)]
        return [
            *missing(set(self.committed), set(facts), "committed events are not in Kafka"),
            *missing(set(facts), {*self.committed, *self.in_doubt}, "events in Kafka were never committed"),
            *([f"{len(facts) - len(set(facts))} events came under two ids"] if len(facts) != len(set(facts)) else []),
            *([f"{len(mixed)} keys are out of order, e.g. {mixed[0]}"] if mixed else []),
        ]

    def repeated(self, records: Sequence[Seen]) -> int:
        """How many records repeat an event id."""
        mine = self.of_mine(records)
        return len(mine) - len({record.event_id for record in mine})


@asynccontextmanager
async def pool_of(world: World, service: str) -> AsyncIterator[Pool]:
    """A pool as the service itself has it."""
    database = await world.database(service)
    pool = await create_pool(SecretStr(database.app_url), size=4, application_name="faults")
    try:
        yield pool
    finally:
        pool.terminate()


async def waiting(world: World, service: str) -> int:
    """How many rows wait in the service's outbox."""
    connection = await world.superuser(service)
    try:
        return int(await connection.fetchval("select count(*) from outbox"))
    finally:
        await connection.close()


async def drained(world: World, service: str, *, seconds: float = 120) -> None:
    """Return once nothing waits in the service's outbox: all of it is acknowledged."""

    async def is_empty() -> bool:
        return not await waiting(world, service)

    await until(is_empty, seconds=seconds, what=f"an empty outbox of {service}", pause=0.05)
