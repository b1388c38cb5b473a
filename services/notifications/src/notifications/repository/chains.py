"""Rows of chains: revisions are added, the newest one is in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from asyncpg import Record

from bloom_events.alerts import ChainStep
from bloom_events.ids import UserId
from notifications.domain.chain import Chain, Deadlines
from service_kit.database import Connection
from service_kit.errors import PreconditionFailed

_CURRENT = """
    select c.revision, c.supervisors, c.on_call, d.step, d.moderate_seconds, d.high_seconds, d.critical_seconds
    from alert_chains c join alert_deadlines d on d.tenant_id = c.tenant_id and d.revision = c.revision
    where c.revision = (select max(revision) from alert_chains)
"""
_ADD = "insert into alert_chains (revision, supervisors, on_call, set_by, set_at) values ($1, $2, $3, $4, $5)"
_ADD_DEADLINES = """
    insert into alert_deadlines (revision, step, moderate_seconds, high_seconds, critical_seconds) values ($1, $2, $3, $4, $5)
"""


class ChainRepository:
    """Reads and adds chains within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def current(self) -> Chain:
        """The chain in force: the practice's own, or the platform's."""
        rows = await self._connection.fetch(_CURRENT)
        return _chain(rows) if rows else Chain()

    async def add(self, chain: Chain, *, set_by: UUID, now: datetime) -> None:
        """Add a revision; raises PreconditionFailed when somebody else has added it at the same time."""
        try:
            await self._connection.execute(_ADD, chain.revision, list(chain.supervisors), list(chain.on_call), set_by, now)
        except asyncpg.UniqueViolationError:
            raise PreconditionFailed from None
        rows = [(chain.revision, step, each.moderate, each.high, each.critical) for step, each in chain.deadlines.items()]
        await self._connection.executemany(_ADD_DEADLINES, rows)


def _chain(rows: Sequence[Record]) -> Chain:
    return Chain(
        revision=rows[0]["revision"],
        supervisors=tuple(UserId(user_id) for user_id in rows[0]["supervisors"]),
        on_call=tuple(UserId(user_id) for user_id in rows[0]["on_call"]),
        deadlines={
            ChainStep(row["step"]): Deadlines(row["moderate_seconds"], row["high_seconds"], row["critical_seconds"])
            for row in rows
        },
    )
