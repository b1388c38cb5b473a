"""Rows of wrapped data keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from bloom_events.ids import ConversationId, TenantId
from messaging.domain.keys import KeyPlace, WrappedKey
from messaging.domain.outcomes import KeyDestroyed, KeyNotFound
from service_kit.database import Connection
from service_kit.unit_of_work import UnitOfWork

_INSERT = """
    insert into conversation_keys (conversation_id, version, kek_id, wrapped_key, created_at) values ($1, $2, $3, $4, $5)
"""
_LIST = """
    select version, kek_id, wrapped_key from conversation_keys
    where conversation_id = $1 and version = any($2::int[]) and wrapped_key is not null
"""
_GET = "select k.kek_id, k.wrapped_key from conversation_keys k where k.conversation_id = $1 and k.version = $2"
_CURRENT = """
    select c.id, k.version, k.kek_id, k.wrapped_key from conversations c
    join conversation_keys k on k.conversation_id = c.id and k.version = c.key_version
    where c.id = $1 and $2 = any(c.member_ids)
"""
_CURRENT_OF_MESSAGE = """
    select c.id, k.version, k.kek_id, k.wrapped_key from messages m
    join conversations c on c.id = m.conversation_id
    join conversation_keys k on k.conversation_id = c.id and k.version = c.key_version
    where m.id = $1 and $2 = any(c.member_ids)
"""
_DESTROY = (
    "update conversation_keys set wrapped_key = null, destroyed_at = $2 where conversation_id = $1 and wrapped_key is not null"
)
_COUNT_FOREIGN = "select count(*) from conversation_keys where wrapped_key is not null and kek_id <> $1"
_FOREIGN = """
    select tenant_id, conversation_id, version, kek_id, wrapped_key from conversation_keys
    where wrapped_key is not null and kek_id <> $1 and (tenant_id, conversation_id, version) > ($2, $3, $4)
    order by tenant_id, conversation_id, version limit $5
"""
# Only what it was read as is replaced: a key that was destroyed meanwhile stays destroyed.
_WRAP_ANEW = """
    update conversation_keys set kek_id = $4, wrapped_key = $5
    where tenant_id = $1 and conversation_id = $2 and version = $3 and wrapped_key = $6
"""
_OLD = """
    select k.tenant_id, k.conversation_id from conversation_keys k
    where k.wrapped_key is not null
    group by k.tenant_id, k.conversation_id
    having max(k.created_at) < $1 and (k.tenant_id, k.conversation_id) > ($2, $3)
    order by k.tenant_id, k.conversation_id limit $4
"""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A wrapped key with what it belongs to."""

    place: KeyPlace
    wrapped: WrappedKey


class KeyRepository:
    """Reads and writes the wrapped keys of the tenant's conversations within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, place: KeyPlace, wrapped: WrappedKey, now: datetime) -> None:
        """Stores a new version of a conversation's key."""
        await self._connection.execute(_INSERT, place.conversation_id, place.version, wrapped.kek_id, wrapped.blob, now)

    async def list_versions(self, conversation_id: UUID, versions: Sequence[int]) -> Mapping[int, WrappedKey]:
        """Those of the versions that are there and not destroyed."""
        rows = await self._connection.fetch(_LIST, conversation_id, versions)
        return {row["version"]: WrappedKey(row["kek_id"], row["wrapped_key"]) for row in rows}

    async def destroy(self, conversation_id: UUID, now: datetime) -> None:
        """All versions of a conversation's key are gone."""
        await self._connection.execute(_DESTROY, conversation_id, now)


async def read_key(uow: UnitOfWork, conversation_id: UUID, version: int) -> WrappedKey:
    """One version of a conversation's key; raises KeyNotFound, or KeyDestroyed."""
    row = await uow.fetch_one(_GET, conversation_id, version)
    if row is None:
        raise KeyNotFound
    if row["wrapped_key"] is None:
        raise KeyDestroyed
    return WrappedKey(row["kek_id"], row["wrapped_key"])


async def find_current_key(uow: UnitOfWork, conversation_id: UUID, member_id: UUID) -> StoredKey | None:
    """The key of a conversation in which the person takes part; None when they do not, or when it is destroyed."""
    return _current(uow, await uow.fetch_one(_CURRENT, conversation_id, member_id))


async def find_key_of_message(uow: UnitOfWork, message_id: UUID, member_id: UUID) -> StoredKey | None:
    """The same for the conversation of a message."""
    return _current(uow, await uow.fetch_one(_CURRENT_OF_MESSAGE, message_id, member_id))


def _current(uow: UnitOfWork, row: asyncpg.Record | None) -> StoredKey | None:
    if row is None or row["wrapped_key"] is None:
        return None
    place = KeyPlace(uow.context.tenant_id, ConversationId(row["id"]), row["version"])
    return StoredKey(place, WrappedKey(row["kek_id"], row["wrapped_key"]))


class KeeperRepository:
    """The wrapped keys of all tenants, for the commands of whoever keeps the key-encryption keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def count_foreign(self, kek_id: str) -> int:
        """How many keys another key-encryption key wraps."""
        return int(await self._connection.fetchval(_COUNT_FOREIGN, kek_id))

    async def list_foreign(self, kek_id: str, after: KeyPlace, limit: int) -> list[StoredKey]:
        """Keys that another key-encryption key wraps, from behind a place on."""
        place = (after.tenant_id, after.conversation_id, after.version)
        rows = await self._connection.fetch(_FOREIGN, kek_id, *place, limit)
        return [
            StoredKey(
                KeyPlace(TenantId(row["tenant_id"]), ConversationId(row["conversation_id"]), row["version"]),
                WrappedKey(row["kek_id"], row["wrapped_key"]),
            )
            for row in rows
        ]

    async def wrap_anew(self, stored: StoredKey, wrapped: WrappedKey) -> bool:
        """Replaces what wraps a key; false when the key is no longer as it was read."""
        place = stored.place
        found = await self._connection.execute(
            _WRAP_ANEW, place.tenant_id, place.conversation_id, place.version, wrapped.kek_id, wrapped.blob, stored.wrapped.blob
        )
        return found == "UPDATE 1"

    async def list_old(
        self, made_before: datetime, after: tuple[UUID, UUID], limit: int
    ) -> list[tuple[TenantId, ConversationId]]:
        """Conversations whose newest key is older, from behind one on."""
        rows = await self._connection.fetch(_OLD, made_before, *after, limit)
        return [(TenantId(row["tenant_id"]), ConversationId(row["conversation_id"])) for row in rows]
