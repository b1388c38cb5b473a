"""Makes databases of an earlier moment and a log of a later one fit together again.

The log is what everybody has been told, so nothing on it is taken back. Consumers are sent back to where they were and read on
from there: what follows from the events behind that moment follows once more, a crisis above all. What only people's own acts
had made is gone with the rows, and is listed here by id so that somebody can see to it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from local_stack.postgres import ServiceDatabase
from local_stack.recovery.manifest import Manifest
from service_kit.consuming import LogRecord
from service_kit.log_reader import LogReader, Place

_AT_A_TIME = 2_000
_RESULTS = "bloom.analytics."
_SOURCE = "/bloom/"


class NewerEvent(NamedTuple):
    """An event of which its producer's database knows nothing any more."""

    topic: str
    type: str
    event_id: str
    about: str
    at: str


@dataclass
class Reconciled:
    """What was found on the log behind the moment that the databases show."""

    not_sent_again: int = 0
    """Rows of outboxes that Kafka had already, and that were taken out for that."""
    to_be_sent: int = 0
    """Rows of outboxes that Kafka does not have: the relays send them."""
    lost: list[NewerEvent] = field(default_factory=list)
    """Acts of people whose rows are gone."""
    again: list[NewerEvent] = field(default_factory=list)
    """What followed from other events: it follows again, under new ids."""

    def lost_by_type(self) -> dict[str, int]:
        """How many acts of each kind are lost."""
        return dict(sorted(Counter(event.type for event in self.lost).items()))


def reconcile(databases: Mapping[str, ServiceDatabase], bootstrap: str, manifest: Manifest) -> Reconciled:
    """Compare the log with the restored databases, and take out of their outboxes what it holds; no relay may run meanwhile."""
    waiting = {service: asyncio.run(_waiting(database)) for service, database in databases.items()}
    oldest = min((at for rows in waiting.values() for at in rows.values()), default=None)
    found, on_the_log = Reconciled(), set[UUID]()
    with contextlib.closing(LogReader(bootstrap, name="bloom-reconcile")) as reader:
        for record in _records(reader, manifest, oldest):
            headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
            with contextlib.suppress(ValueError):
                on_the_log.add(UUID(headers.get("ce_id", "")))
            _judge(record, headers, manifest, found)
    for service, rows in waiting.items():
        sent = [event_id for event_id in rows if event_id in on_the_log]
        asyncio.run(_take_out(databases[service], sent))
        found.not_sent_again += len(sent)
        found.to_be_sent += len(rows) - len(sent)
    return found


def _judge(record: LogRecord, headers: Mapping[str, str], manifest: Manifest, found: Reconciled) -> None:
    """Note an event that was published behind the moment that its producer's database shows."""
    service, told = headers.get("ce_source", "").removeprefix(_SOURCE), headers.get("ce_time", "")
    if service not in manifest.databases or record.topic.startswith(_RESULTS) or record.topic.endswith(".dlq"):
        return
    if datetime.fromisoformat(told) <= manifest.databases[service].snapshot_at:
        return
    event = NewerEvent(record.topic, headers.get("ce_type", ""), headers.get("ce_id", ""), headers.get("ce_subject", ""), told)
    (found.again if "ce_causationid" in headers else found.lost).append(event)


def _records(reader: LogReader, manifest: Manifest, oldest_waiting: datetime | None) -> Iterator[LogRecord]:
    """The log from the backup on, and from the oldest event on that waits in an outbox."""
    topics = list(manifest.ends)
    ends = reader.ends(topics)
    starts = {Place(topic, number): end for topic, each in manifest.ends.items() for number, end in each.items()}
    earlier = reader.starts(topics, oldest_waiting) if oldest_waiting else {}
    for place, end in ends.items():
        following = min(starts.get(place, 0), earlier.get(place, end))
        while following < end:
            records, following = reader.read(place.topic, place.partition, following, end, _AT_A_TIME)
            yield from records


async def _waiting(database: ServiceDatabase) -> dict[UUID, datetime]:
    """The events in an outbox, with their times."""
    connection = await asyncpg.connect(database.relay_url)
    try:
        rows = await connection.fetch("select event_id, timestamp_ms from outbox")
    finally:
        await connection.close()
    return {UUID(bytes=row["event_id"].bytes): datetime.fromtimestamp(row["timestamp_ms"] / 1000, UTC) for row in rows}


async def _take_out(database: ServiceDatabase, sent: list[UUID]) -> None:
    connection = await asyncpg.connect(database.relay_url)
    try:
        await connection.execute("delete from outbox where event_id = any($1::uuid[])", sent)
    finally:
        await connection.close()
