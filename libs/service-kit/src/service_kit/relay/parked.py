"""Parked rows: look at what could not be sent, and put it back once the cause is mended."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from service_kit.database import Connection

_LIST = "select event_id, topic, type, reason, octet_length(payload) from outbox_parked order by id limit $1"
_COLUMNS = "event_id, tenant_id, topic, type, key, headers, payload, timestamp_ms, created_at"
# A fresh id: the row queues behind those of its key that were sent meanwhile; readers tell late from new by the revision.
_REQUEUE = f"""
with back as (delete from outbox_parked where $1::uuid[] is null or event_id = any($1) returning id, {_COLUMNS})
insert into outbox ({_COLUMNS}) select {_COLUMNS} from back order by id
"""  # noqa: S608  # only this module's own column list is put in


class ParkedRow(NamedTuple):
    """A row that could not be sent; `size` is the payload's in bytes."""

    event_id: UUID
    topic: str
    type: str
    reason: str
    size: int


async def list_parked(connection: Connection, limit: int = 100) -> list[ParkedRow]:
    """Return the oldest parked rows, without their contents; needs the relay's role."""
    return [ParkedRow(*row) for row in await connection.fetch(_LIST, limit)]


async def requeue(connection: Connection, event_ids: Collection[UUID] | None = None) -> int:
    """Put these parked rows, or all of them, back into the outbox and return how many; needs the relay's role."""
    return int((await connection.execute(_REQUEUE, event_ids)).rpartition(" ")[2])
