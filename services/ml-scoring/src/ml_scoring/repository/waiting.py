"""Rows of messages that wait for their key, sealed as they came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from asyncpg import Record

from bloom_events.envelope import Envelope, to_kafka
from bloom_events.ids import ConversationId, TenantId
from bloom_events.messaging import MessageEvent
from bloom_events.registry import unwrap
from ml_scoring.domain.waiting import LEASE, Place, Received, Waiting
from service_kit.database import Connection, Pool
from service_kit.outbox import pack_headers, unpack_headers

_ADD = """
    insert into waiting_messages (event_id, conversation_id, headers, payload, partition, read_offset, received_at, attempts,
        next_try_at)
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::int[], $6::bigint[], $7::timestamptz[], $8::int[],
        $9::timestamptz[])
"""
# Materialized: a subquery that locks may be run again inside of a join, and then takes more than its limit.
_CLAIM = """
    with due as materialized (
        select event_id from waiting_messages where next_try_at <= $1 order by next_try_at, read_offset limit $3
        for update skip locked)
    update waiting_messages w set next_try_at = $2 from due
    where w.event_id = due.event_id returning w.*
"""
_POSTPONE = """
    update waiting_messages w set attempts = r.attempts, next_try_at = r.next_try_at
    from unnest($1::uuid[], $2::int[], $3::timestamptz[]) as r (event_id, attempts, next_try_at) where w.event_id = r.event_id
"""
_REMOVE = "delete from waiting_messages where event_id = any($1::uuid[]) returning event_id"
_HURRY = "update waiting_messages set next_try_at = least(next_try_at, $2) where conversation_id = $1"


class WaitingFigures(NamedTuple):
    """Of all tenants: how many wait, since when the oldest does, and when the next one is due."""

    waiting: int
    oldest: datetime | None
    next_try_at: datetime | None


class WaitingRepository:
    """Reads and writes waiting messages within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, waiting: Sequence[Waiting]) -> None:
        """Keep messages that have been taken from the inbox and are not scored yet."""
        rows = [_row_of(each) for each in waiting]
        await self._connection.execute(_ADD, *map(list, zip(*rows, strict=True)))

    async def claim(self, now: datetime, limit: int) -> list[Waiting]:
        """Up to `limit` that are due, the longest due first; nobody else gets them before the lease is over."""
        rows = await self._connection.fetch(_CLAIM, now, now + LEASE, limit)
        return sorted(map(_waiting, rows), key=lambda each: each.received.place.offset)

    async def postpone(self, waiting: Sequence[Waiting]) -> None:
        """Write attempts and time of the next one."""
        rows = [(each.received.cause.id, each.attempts, each.next_try_at) for each in waiting]
        await self._connection.execute(_POSTPONE, *map(list, zip(*rows, strict=True)))

    async def remove(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """End the wait; gives those that still waited, for somebody else may have ended the others."""
        return {row["event_id"] for row in await self._connection.fetch(_REMOVE, event_ids)}

    async def hurry(self, conversation_id: ConversationId, now: datetime) -> None:
        """Have the messages of a conversation tried now."""
        await self._connection.execute(_HURRY, conversation_id, now)


async def tenants_with_due(pool: Pool, now: datetime) -> list[TenantId]:
    """Whose messages are due, whoever has waited longest first."""
    return [TenantId(row[0]) for row in await pool.fetch("select tenant_id from waiting_tenants($1)", now)]


async def waiting_figures(pool: Pool) -> WaitingFigures:
    """How much waits, over all tenants."""
    row = await pool.fetchrow("select waiting, oldest, next_try from waiting_figures()")
    return WaitingFigures(*row) if row is not None else WaitingFigures(0, None, None)


def _row_of(waiting: Waiting) -> tuple[object, ...]:
    received = waiting.received
    message = to_kafka(received.cause)
    return (
        received.cause.id,
        received.cause.data.conversation_id,
        pack_headers(message.headers),
        message.value,
        received.place.partition,
        received.place.offset,
        received.received_at,
        waiting.attempts,
        waiting.next_try_at,
    )


def _waiting(row: Record) -> Waiting:
    headers = [(name, value.encode()) for name, value in unpack_headers(row["headers"]).items()]
    cause = cast("Envelope[MessageEvent]", unwrap(headers, row["payload"]))
    place = Place(row["partition"], row["read_offset"])
    received = Received(cause, place, row["received_at"], cause.traceparent)
    return Waiting(received, row["attempts"], row["next_try_at"])
