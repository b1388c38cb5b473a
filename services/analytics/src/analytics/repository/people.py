"""Rows of people and sessions for the numbers of administrators: facts that may come in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from service_kit.database import Connection

_REGISTERED = """
    insert into people as p (user_id, role, registered_at)
    select * from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as r (user_id, role, registered_at) order by user_id
    on conflict (tenant_id, user_id) do update set role = excluded.role, registered_at = excluded.registered_at
    where (excluded.registered_at, excluded.role) < (p.registered_at, p.role)
"""
_STARTED = """
    insert into sessions as s (session_id, expires_at)
    select * from unnest($1::uuid[], $2::timestamptz[]) as r (session_id, expires_at) order by session_id
    on conflict (tenant_id, session_id) do update set expires_at = greatest(s.expires_at, excluded.expires_at)
"""
_REVOKED = """
    insert into sessions as s (session_id, revoked_at)
    select * from unnest($1::uuid[], $2::timestamptz[]) as r (session_id, revoked_at) order by session_id
    on conflict (tenant_id, session_id) do update set revoked_at = least(s.revoked_at, excluded.revoked_at)
"""


class PeopleRepository:
    """Writes what is known of people and sessions within one transaction; each of them may be named once a call."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def registered(self, people: Sequence[tuple[UUID, str, datetime]]) -> None:
        """Accounts with their role and when they were made."""
        await self._connection.execute(_REGISTERED, *zip(*people, strict=True))

    async def started(self, sessions: Sequence[tuple[UUID, datetime]]) -> None:
        """Sessions and when they end by themselves."""
        await self._connection.execute(_STARTED, *zip(*sessions, strict=True))

    async def revoked(self, sessions: Sequence[tuple[UUID, datetime]]) -> None:
        """Sessions and when they were ended."""
        await self._connection.execute(_REVOKED, *zip(*sessions, strict=True))
