"""Each table shows another tenant nothing and takes nothing from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from service_kit.database import Connection
from service_kit.testing import assert_tenant_isolated

PERSON = "insert into people (tenant_id, user_id, role, status, changed_at) values ($1, $2, 'PATIENT', 'active', now())"
VISIT = """
    insert into care_relationships (tenant_id, appointment_id, patient_id, therapist_id, stands, revision)
    values ($1, $2, $2, $2, true, 1)
"""
SESSION = "insert into ended_sessions (tenant_id, session_id, user_id, ended_at) values ($1, $2, $2, now())"
CONVERSATION = """
    insert into conversations (tenant_id, id, kind, patient_id, opened_by, opened_at, member_ids, therapist_ids, last_sequence,
                               last_change_at, key_version)
    values ($1, $2, 'care_team', $2, $2, now(), '{}', '{}', 0, now(), 1)
"""
MEMBER = """
    insert into conversation_members (tenant_id, conversation_id, user_id, role, joined_at, delivered_sequence, read_sequence)
    values ($1, $2, $2, 'PATIENT', now(), 0, 0)
"""
KEY = """
    insert into conversation_keys (tenant_id, conversation_id, version, kek_id, wrapped_key, created_at)
    values ($1, $2, 1, 'file:first', '\\x00', now())
"""
MESSAGE = """
    insert into messages (tenant_id, id, conversation_id, sequence, revision, author_id, author_role, sent_at, attachment_count,
                          sealed_sequence, key_version, nonce, ciphertext, sent_digest, sent_key_version)
    values ($1, $2, $2, 1, 1, $2, 'PATIENT', now(), 0, 1, 1, decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex'),
            decode(repeat('00', 32), 'hex'), 1)
"""
CHANGE = """
    insert into conversation_changes (tenant_id, conversation_id, sequence, kind, at, actor_id, message_id)
    values ($1, $2, 1, 'message-sent', now(), $2, $2)
"""
ATTACHMENT = """
    insert into attachments (tenant_id, id, conversation_id, uploader_id, content_type, size_bytes, sha256, key_version,
                             name_nonce, name_ciphertext, state, requested_at)
    values ($1, $2, $2, $2, 'text/plain', 1, decode(repeat('00', 32), 'hex'), 1, decode(repeat('00', 12), 'hex'),
            decode(repeat('00', 17), 'hex'), 'pending', now())
"""
PUSH = """
    insert into alert_pushes (tenant_id, alert_id, user_id, conversation_id, patient_id, state, level, revision, changed_at)
    values ($1, $2, $2, $2, $2, 'raised', 'high', 1, now())
"""

ROWS: Mapping[str, tuple[str, ...]] = {
    "people": (PERSON,),
    "care_relationships": (VISIT,),
    "ended_sessions": (SESSION,),
    "conversations": (CONVERSATION,),
    "conversation_members": (CONVERSATION, MEMBER),
    "conversation_keys": (CONVERSATION, KEY),
    "messages": (CONVERSATION, MESSAGE),
    "conversation_changes": (CONVERSATION, MESSAGE, CHANGE),
    "attachments": (CONVERSATION, ATTACHMENT),
    "alert_pushes": (PUSH,),
}
TENANT_TABLES = """
    select c.relname from pg_attribute a join pg_class c on c.oid = a.attrelid
    where a.attname = 'tenant_id' and c.relkind = 'r'
"""
KIT_TABLES = {"outbox", "outbox_parked", "idempotency_keys"}


def writer_of(statements: tuple[str, ...]) -> Callable[[Connection, UUID], Awaitable[object]]:
    async def write(connection: Connection, tenant_id: UUID) -> None:
        row_id = uuid4()
        for statement in statements:
            await connection.execute(statement, tenant_id, row_id)

    return write


@pytest.mark.parametrize("table", ROWS)
async def test_a_table_shows_another_tenant_nothing_and_takes_nothing_from_it(practice: Any, table: str) -> None:
    await assert_tenant_isolated(practice.pool, table, writer_of(ROWS[table]))


async def test_no_table_with_a_tenant_is_left_out_of_these_tests(practice: Any) -> None:
    async with practice.pool.acquire() as connection:
        tables = {row["relname"] for row in await connection.fetch(TENANT_TABLES)}
    assert tables == set(ROWS) | KIT_TABLES
