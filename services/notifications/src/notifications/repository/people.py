"""Rows of people: accounts as auth tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from bloom_events.auth import Role
from bloom_events.ids import UserId
from notifications.domain.people import Accounts, Person
from service_kit.database import Connection

# Verification is never taken back, and of suspensions and reinstatements the last one by its own time counts: so the events of an
# account come to the same in any order.
_KEEP = """
    insert into people as p (user_id, role, is_verified, is_suspended, standing_at, standing_event_id)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id, user_id) do update set
        role = excluded.role,
        is_verified = p.is_verified or excluded.is_verified,
        is_suspended = case when (excluded.standing_at, excluded.standing_event_id) > (p.standing_at, p.standing_event_id)
            then excluded.is_suspended else p.is_suspended end,
        standing_at = greatest(p.standing_at, excluded.standing_at),
        standing_event_id = case when (excluded.standing_at, excluded.standing_event_id) > (p.standing_at, p.standing_event_id)
            then excluded.standing_event_id else p.standing_event_id end
"""
_ACCOUNTS = """
    select user_id, role, is_verified, is_suspended from people
    where role = 'ADMINISTRATOR' or user_id = any($1::uuid[]) order by user_id
"""


class PeopleRepository:
    """Reads and writes people within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, person: Person, *, standing_at: datetime, event_id: UUID) -> None:
        """Add what an event says of an account to what is known of it; `standing_at` is when its standing was set."""
        standing = person.is_verified, person.is_suspended
        await self._connection.execute(_KEEP, person.user_id, person.role, *standing, standing_at, event_id)

    async def accounts(self, wanted: Sequence[UUID]) -> Accounts:
        """All administrators, and those of the wanted people who are known, the oldest account first."""
        return Accounts(tuple(_person(row) for row in await self._connection.fetch(_ACCOUNTS, list(wanted))))


def _person(row: Record) -> Person:
    return Person(UserId(row["user_id"]), Role(row["role"]), row["is_verified"], row["is_suspended"])
