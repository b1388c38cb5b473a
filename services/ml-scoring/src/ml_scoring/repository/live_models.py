"""Rows of the models that organisations chose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from asyncpg import Record

from bloom_events.ids import TenantId
from ml_scoring.domain.live_models import Choice, ChosenModel, Refusal
from ml_scoring.domain.models import ModelReference
from service_kit.database import Connection, Pool

_FIND = "select * from live_models"
_LOCK = "select * from live_models for update"
_SAVE = """
    insert into live_models (revision, name, version, seal, activated_by, activated_at) values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id) do update set revision = excluded.revision, name = excluded.name, version = excluded.version,
        seal = excluded.seal, activated_by = excluded.activated_by, activated_at = excluded.activated_at,
        refused_reason = null, refused_at = null
"""
_REFUSE = "update live_models set refused_reason = $2, refused_at = $3 where revision = $1"
_CHOSEN = "select tenant_id, revision, name, version, seal from chosen_models()"


class LiveModelRepository:
    """Reads and writes the choice of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self) -> ChosenModel | None:
        """What was chosen, if anything was."""
        row = await self._connection.fetchrow(_FIND)
        return _chosen(row) if row is not None else None

    async def lock(self) -> ChosenModel | None:
        """The same, for a choice after it; the first choice of a tenant has no row to lock and may meet another one's."""
        row = await self._connection.fetchrow(_LOCK)
        return _chosen(row) if row is not None else None

    async def save(self, live: ChosenModel) -> None:
        """Write a choice; what was refused of the one before is forgotten."""
        seen = live.reference
        await self._connection.execute(
            _SAVE, live.revision, seen.name, seen.version, seen.seal, live.activated_by, live.activated_at
        )

    async def refuse(self, revision: int, reason: str | None, now: datetime) -> None:
        """Note why a worker could not load this choice, or that it could after all, unless there is a newer choice."""
        await self._connection.execute(_REFUSE, revision, reason, now if reason is not None else None)


async def chosen_models(pool: Pool) -> Mapping[TenantId, Choice]:
    """What every organisation chose."""
    return {
        TenantId(row["tenant_id"]): Choice(row["revision"], ModelReference(row["name"], row["version"], row["seal"]))
        for row in await pool.fetch(_CHOSEN)
    }


def _chosen(row: Record) -> ChosenModel:
    refusal = Refusal(row["refused_reason"], row["refused_at"]) if row["refused_at"] is not None else None
    reference = ModelReference(row["name"], row["version"], row["seal"])
    return ChosenModel(row["revision"], reference, row["activated_by"], row["activated_at"], refusal)
