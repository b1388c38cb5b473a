"""What is written stands nowhere in clear, and once a conversation's keys are destroyed nobody reads it, wherever a copy lies."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest
from confluent_kafka import Consumer
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import FastAPI
from pydantic import SecretStr

from bloom_events.messaging import ConversationKeyDestroyed, MessageSent, sealed_with
from bloom_events.registry import unwrap
from bloom_events.topics import CONVERSATIONS, MESSAGES
from service_kit.relay import Relay, RelayOptions
from service_kit.testing import FixedClock, as_tenant
from service_kit.unit_of_work import utc_now

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

NEEDLE = "the heron stands in the shallow water"
TABLES = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' order by 1
"""


def spellings(text: str) -> list[str]:
    """The text as it could stand in a dump of a database or in a log: plain, in hex, and in base64 at any offset."""
    coded = [base64.b64encode(b"x" * shift + text.encode())[4:-4].decode() for shift in range(3)]
    return [text, text.encode().hex(), *coded]


async def backup_of(database: ServiceDatabase) -> str:
    """Every row of every table of all tenants: the owner lifts row security for as long as it looks."""
    owner = await asyncpg.connect(database.owner_url)
    tables = [row["relname"] for row in await owner.fetch(TABLES)]
    rows: list[str] = []
    async with owner.transaction():
        for table in tables:
            await owner.execute(f"alter table {table} no force row level security")
            rows += [row["row"] for row in await owner.fetch(f"select t::text as row from {table} t")]
            await owner.execute(f"alter table {table} force row level security")
    await owner.close()
    return "\n".join(rows)


@pytest.fixture
def clock(app: FastAPI) -> FixedClock:
    """It stands in the present, for Kafka takes no records from the future."""
    clock = FixedClock()
    clock.moment = utc_now()
    app.state.kit.clock = clock
    return clock


@pytest.fixture
async def relay(database: ServiceDatabase, kafka_topics: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    options = RelayOptions(dsn=SecretStr(database.relay_url), bootstrap=kafka_topics, environment="test")
    running = asyncio.create_task(Relay(options).run(stop))
    yield
    stop.set()
    await asyncio.wait_for(running, 20)


def records_of(bootstrap: str, topics: list[str], tenant_id: UUID, count: int) -> list[Any]:
    """The first `count` events of a tenant as they lie on the topics, headers and value; a second delivery is left out."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"reader-{tenant_id}", "auto.offset.reset": "earliest"})
    consumer.subscribe(topics)
    found: dict[bytes, Any] = {}
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        for message in consumer.consume(100, timeout=0.2):
            headers: dict[str, bytes] = dict(message.headers() or [])
            if headers.get("ce_tenantid") == str(tenant_id).encode():
                found[headers["ce_id"]] = (list(headers.items()), message.value())
    consumer.close()
    return list(found.values())


async def test_no_table_and_no_log_line_holds_what_was_written(
    practice: Any, database: ServiceDatabase, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    patient, therapist, conversation_id = await practice.pair()
    body = {"conversationId": conversation_id, "body": NEEDLE}
    sent = (await patient.post("/api/messages", body, Idempotency_Key="once")).json()["message"]
    await patient.post("/api/messages", body, Idempotency_Key="once")
    await patient.patch(f"/api/messages/{sent['id']}", {"body": f"again {NEEDLE}"})
    await therapist.search(NEEDLE)
    await patient.post("/api/messages", {**body, "body": f"{NEEDLE}\x00"})

    backup, printed = await backup_of(database), capsys.readouterr()

    assert str(sent["id"]) in backup
    for spelling in spellings(NEEDLE):
        assert spelling not in backup
        assert spelling not in caplog.text
        assert spelling not in printed.out + printed.err


async def test_a_destroyed_key_makes_the_text_unreadable_everywhere_the_log_included(
    practice: Any, relay: None, kafka_topics: str
) -> None:
    patient, therapist, conversation_id = await practice.pair()
    await patient.send(conversation_id, NEEDLE)
    administrator = practice.administrator()
    path = f"/internal/conversations/{conversation_id}/keys/1"
    key = b64decode((await practice.ask_as("ml-scoring", path)).json()["key"])
    [(headers, value)] = await asyncio.to_thread(records_of, kafka_topics, [MESSAGES.name], practice.tenant_id, 1)
    record = unwrap(headers, value).data
    assert isinstance(record, MessageSent)
    assert unsealed(key, record) == NEEDLE, "before: whoever has the key reads the record"
    for spelling in spellings(NEEDLE):
        assert spelling.encode() not in value

    destroyed = await administrator.post(f"/api/conversations/{conversation_id}/destroy-key")
    assert destroyed.json()["closedAt"] is not None

    # No way to the key is left: not by the one service that may ask, not in the tables, not in what is kept in this process.
    assert (await practice.ask_as("ml-scoring", path)).status_code == 410
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        assert await connection.fetchval("select count(*) from conversation_keys where wrapped_key is not null") == 0
    assert not practice.keyring.has_any(practice.tenant_id, UUID(conversation_id))
    with pytest.raises(InvalidTag):
        unsealed(bytes(32), record)
    # And everything that had shown the text shows none.
    assert [each["body"] for each in await therapist.history(conversation_id)] == [None]
    assert [each["message"]["body"] for each in await patient.changes(conversation_id) if "message" in each] == [None]
    assert (await patient.search("heron"))["items"] == []
    [*_, (headers, value)] = await asyncio.to_thread(records_of, kafka_topics, [CONVERSATIONS.name], practice.tenant_id, 4)
    told = unwrap(headers, value).data
    assert isinstance(told, ConversationKeyDestroyed)
    assert str(told.conversation_id) == conversation_id


def unsealed(key: bytes, event: MessageSent) -> str:
    bound = sealed_with(event.conversation_id, event.message_id, event.sequence)
    return AESGCM(key).decrypt(b64decode(event.nonce), b64decode(event.ciphertext), bound).decode()


async def test_a_closed_conversation_takes_nothing_more_and_can_be_opened_anew(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "hello")
    administrator = practice.administrator()
    path = f"/api/conversations/{conversation_id}"
    first, again = [await administrator.post(f"{path}/destroy-key") for _ in range(2)]
    assert first.json() == again.json()

    refused = [
        await patient.post("/api/messages", {"conversationId": conversation_id, "body": "hello"}),
        await patient.patch(f"/api/messages/{sent['id']}", {"body": "hello"}),
        await patient.post("/api/messages", {"conversationId": conversation_id, "body": "hello", "id": sent["id"]}),
        await administrator.post(f"{path}/rotate-key"),
    ]
    assert [(each.status_code, each.json()["type"]) for each in refused] == [(410, "urn:bloom:problem:key-destroyed")] * 4
    assert (await patient.changes(conversation_id))[-1]["kind"] == "closed"
    assert (await patient.delete(f"/api/messages/{sent['id']}")).status_code == 200
    assert await practice.open(patient, therapist) != conversation_id


async def test_only_administrators_destroy_and_renew_keys(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    for verb in ("destroy-key", "rotate-key"):
        for person in (patient, therapist):
            assert (await person.post(f"/api/conversations/{conversation_id}/{verb}")).status_code == 403
        missing = await practice.administrator().post("/api/conversations/0195a000-0000-7000-8000-000000000001/" + verb)
        assert missing.status_code == 404
    assert (await patient.send(conversation_id, "hello"))["body"] == "hello"


async def test_the_internal_route_answers_the_scoring_service_alone(practice: Any, other_practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    path = f"/internal/conversations/{conversation_id}/keys"

    answer = await practice.ask_as("ml-scoring", f"{path}/1")
    assert (answer.status_code, len(b64decode(answer.json()["key"]))) == (200, 32)
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await practice.ask_as("ml-scoring", f"{path}/2")).status_code == 404
    assert (await practice.ask_as("ml-scoring", f"{path}/1", tenant_id=other_practice.tenant_id)).status_code == 404
    assert (await practice.ask_as("ml-scoring", f"{path}/0")).status_code == 422
    assert (await practice.ask_as("notifications", f"{path}/1")).status_code == 401
    assert (await practice.ask_as("ml-scoring", f"{path}/1", audience="auth")).status_code == 401
    tenant = {"X-Tenant-Id": str(practice.tenant_id)}
    assert (await practice.client.get(f"{path}/1", headers=tenant)).status_code == 401
    assert (await patient.ask("GET", f"{path}/1", headers=tenant)).status_code == 401
    assert "/internal" not in str(practice.app.openapi())
