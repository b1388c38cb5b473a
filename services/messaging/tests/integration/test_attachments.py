"""Files of messages on a real object store: announced, uploaded by the client, checked, sent, downloaded, removed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr, ValidationError
from services.messaging.tests.integration.conftest import ISSUER, Person, Practice, settings_of

from messaging.clients.objects.choosing import open_store
from messaging.clients.objects.port import ObjectStore
from messaging.domain.attachments import EXTENSIONS, KEEP_UNSENT, MAX_BYTES, MAX_PER_MESSAGE, MAX_UNSENT, UPLOAD_TIME
from messaging.main import create_app
from messaging.relay import chores
from messaging.settings import Settings
from messaging.use_cases.attachments import remove_discarded
from service_kit.database import Connection
from service_kit.testing import as_tenant, assert_tenant_isolated

if TYPE_CHECKING:
    from local_stack.objects import ObjectStore as S3Server
    from local_stack.postgres import ServiceDatabase

BYTES = b"%PDF-1.7 an example " * 20
NAME = "Überweisung für Herrn X.pdf"


@pytest.fixture(scope="module")
def settings(database: ServiceDatabase, key_file: Path, object_store: S3Server) -> Settings:
    return settings_of(database, key_file).model_copy(
        update={
            "attachment_store": "s3://bloom-attachments",
            "attachment_store_endpoint": object_store.url,
            "attachment_store_access_key": SecretStr(object_store.access_key),
            "attachment_store_secret_key": SecretStr(object_store.secret_key),
            "attachment_limit_per_person": "1000/minute",
        }
    )


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[ObjectStore]:
    assert settings.store is not None
    opened = open_store(settings.store)
    yield opened
    await opened.aclose()


def announced(conversation_id: str, data: bytes = BYTES, **changed: Any) -> dict[str, Any]:
    facts = {
        "conversationId": conversation_id,
        "name": NAME,
        "contentType": "application/pdf",
        "sizeBytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return {**facts, **changed}


async def put(upload: dict[str, Any], data: bytes) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.request(upload["method"], upload["url"], content=data, headers=upload["headers"])
    return answer.status_code


async def announce(person: Person, conversation_id: str, **changed: Any) -> dict[str, Any]:
    answer = await person.post("/api/attachments", announced(conversation_id, **changed))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def uploaded(person: Person, conversation_id: str) -> str:
    """The id of a file that is ready to be sent."""
    told = await announce(person, conversation_id)
    assert await put(told["upload"], BYTES) == 200
    answer = await person.post(f"/api/attachments/{told['attachment']['id']}/complete")
    assert (answer.status_code, answer.json()["state"]) == (200, "uploaded")
    return str(told["attachment"]["id"])


def key_of(practice: Practice, conversation_id: str, attachment_id: str) -> str:
    return f"{practice.tenant_id}/{conversation_id}/{attachment_id}"


@pytest.mark.promise("FI1", "FI2")
async def test_a_file_goes_straight_to_the_store_into_a_message_and_to_the_other_member(practice: Practice) -> None:
    patient, therapist, conversation = await practice.pair()
    file = await uploaded(patient, conversation)
    message = await patient.send(conversation, "The letter", attachmentIds=[file])
    shown = {"id": file, "name": NAME, "contentType": "application/pdf", "sizeBytes": len(BYTES)}
    assert message["attachments"] == [shown]
    assert (await therapist.history(conversation))[0]["attachments"] == [shown]
    link = (await therapist.get(f"/api/attachments/{file}")).json()
    assert {name: link[name] for name in shown} == shown
    async with httpx.AsyncClient() as client:
        answer = await client.get(link["url"])
    assert answer.content == BYTES
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")


@pytest.mark.promise("FI1")
async def test_a_stranger_an_administrator_and_somebody_who_left_see_nothing_of_a_file(practice: Practice) -> None:
    patient, lead, helper = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    conversation = await practice.team(patient, lead, helper)
    file = await uploaded(lead, conversation)
    before = await helper.get(f"/api/attachments/{file}")
    await lead.send(conversation, "", attachmentIds=[file])
    assert (before.status_code, (await helper.get(f"/api/attachments/{file}")).status_code) == (404, 200)
    await lead.delete(f"/api/conversations/{conversation}/members/{helper.id}")
    for person in (helper, await practice.therapist(), await practice.patient()):
        known, unknown = [await person.get(f"/api/attachments/{each}") for each in (file, uuid4())]
        assert (known.status_code, known.json()["type"]) == (404, "urn:bloom:problem:attachment-not-found")
        assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:bloom:problem:attachment-not-found")
        assert (await person.post("/api/attachments", announced(conversation))).status_code == 404
        assert (await person.post(f"/api/attachments/{file}/complete")).status_code == 404
    assert (await practice.administrator().get(f"/api/attachments/{file}")).status_code == 403


async def test_completing_before_the_upload_is_refused_and_works_afterwards_however_often(practice: Practice) -> None:
    patient, _, conversation = await practice.pair()
    told = await announce(patient, conversation)
    path = f"/api/attachments/{told['attachment']['id']}/complete"
    early = await patient.post(path)
    assert (early.status_code, early.json()["type"]) == (409, "urn:bloom:problem:nothing-uploaded")
    assert await put(told["upload"], BYTES) == 200
    assert [(await patient.post(path)).status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.promise("FI2")
async def test_content_that_differs_from_what_was_announced_is_thrown_away(
    practice: Practice, object_store: S3Server, store: ObjectStore
) -> None:
    patient, _, conversation = await practice.pair()
    told = await announce(patient, conversation)
    file, other = told["attachment"]["id"], bytes(reversed(BYTES))
    assert await put(told["upload"], other) == 400
    # As with a store that does not check.
    client, key = object_store.client(), key_of(practice, conversation, file)
    client.put_object(Bucket="bloom-attachments", Key=key, Body=other, ContentType="application/pdf")
    client.close()
    differs = await patient.post(f"/api/attachments/{file}/complete")
    assert (differs.status_code, differs.json()["type"]) == (409, "urn:bloom:problem:upload-differs")
    assert (await patient.post(f"/api/attachments/{file}/complete")).status_code == 404
    refused = await patient.post("/api/messages", {"conversationId": conversation, "body": "", "attachmentIds": [file]})
    assert refused.json()["type"] == "urn:bloom:problem:attachment-not-ready"
    assert await store.describe(key) is not None


async def test_only_ones_own_uploaded_and_unsent_files_of_the_conversation_can_be_sent(practice: Practice) -> None:
    patient, therapist, conversation = await practice.pair()
    pending = (await announce(patient, conversation))["attachment"]["id"]
    other = await practice.therapist()
    await practice.book(patient, other)
    elsewhere = await uploaded(patient, await practice.open(patient, other))
    theirs, sent = await uploaded(therapist, conversation), await uploaded(patient, conversation)
    await patient.send(conversation, "", attachmentIds=[sent])
    good = await uploaded(patient, conversation)
    for bad in (pending, theirs, sent, elsewhere, str(uuid4())):
        refused = await patient.post("/api/messages", {"conversationId": conversation, "body": "", "attachmentIds": [good, bad]})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:bloom:problem:attachment-not-ready"), bad
    assert len(await patient.history(conversation)) == 1
    assert (await patient.send(conversation, "", attachmentIds=[good]))["attachments"][0]["id"] == good


async def test_a_message_takes_ten_files_and_no_more(practice: Practice) -> None:
    patient, _, conversation = await practice.pair()
    files = [await uploaded(patient, conversation) for _ in range(MAX_PER_MESSAGE + 1)]
    body = {"conversationId": conversation, "body": "", "attachmentIds": files}
    assert (await patient.post("/api/messages", body)).status_code == 422
    message = await patient.send(conversation, "", attachmentIds=files[:MAX_PER_MESSAGE])
    assert [each["id"] for each in message["attachments"]] == files[:MAX_PER_MESSAGE]


async def test_a_person_has_twenty_files_waiting_at_most(practice: Practice) -> None:
    patient, therapist, conversation = await practice.pair()
    for _ in range(MAX_UNSENT):
        await announce(patient, conversation)
    refused = await patient.post("/api/attachments", announced(conversation))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bloom:problem:too-many-unsent-attachments")
    await announce(therapist, conversation)


@pytest.mark.parametrize(
    "changed",
    [
        {"sizeBytes": MAX_BYTES + 1},
        {"sizeBytes": 0},
        {"sizeBytes": "12"},
        {"contentType": "text/html"},
        {"contentType": "image/svg+xml"},
        {"contentType": "APPLICATION/PDF"},
        {"sha256": "0" * 63},
        {"sha256": "G" * 64},
        {"name": ""},
        {"name": "a" * 201},
        {"name": "../secret"},
        {"name": "a\\b"},
        {"name": "line\nbreak"},
        {"name": "nul\x00"},
        {"name": "invoice\u202egpj.exe"},
        {"name": ".."},
        {"conversationId": "nowhere"},
        {"surprise": 1},
    ],
)
async def test_an_announcement_outside_the_limits_is_refused_and_not_repeated(
    practice: Practice, changed: dict[str, Any]
) -> None:
    patient, _, conversation = await practice.pair()
    refused = await patient.post("/api/attachments", {**announced(conversation), **changed})
    assert refused.status_code == 422
    assert NAME not in refused.text


async def test_every_allowed_type_and_the_largest_size_can_be_announced(practice: Practice) -> None:
    patient, _, conversation = await practice.pair()
    for content_type in EXTENSIONS:
        told = await announce(patient, conversation, contentType=content_type, sizeBytes=MAX_BYTES)
        assert told["upload"]["headers"]["Content-Type"] == content_type


async def test_the_same_announcement_with_the_same_key_is_made_once_and_its_answer_does_not_tell_the_name(
    practice: Practice,
) -> None:
    patient, _, conversation = await practice.pair()
    first, again = [await patient.post("/api/attachments", announced(conversation), Idempotency_Key="one") for _ in range(2)]
    assert first.json() == again.json()
    assert NAME not in first.text


async def test_the_name_stands_nowhere_in_clear(practice: Practice) -> None:
    patient, _, conversation = await practice.pair()
    await announce(patient, conversation)
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        row = await connection.fetchrow("select * from attachments")
    assert NAME.encode() not in str(dict(row)).encode()
    assert NAME.encode() not in bytes(row["name_ciphertext"])


async def test_files_that_nobody_sent_are_removed_after_a_day_and_those_of_messages_stay(
    practice: Practice, relay_view: asyncpg.Connection[asyncpg.Record], store: ObjectStore
) -> None:
    patient, _, conversation = await practice.pair()
    sent, unsent = await uploaded(patient, conversation), await uploaded(patient, conversation)
    await patient.send(conversation, "", attachmentIds=[sent])
    pending = (await announce(patient, conversation))["attachment"]["id"]
    clock = practice.clock.moment
    await remove_discarded(relay_view, store, now=clock + KEEP_UNSENT - timedelta(seconds=1))
    assert await ids(practice) == {sent, unsent, pending}
    await remove_discarded(relay_view, store, now=clock + KEEP_UNSENT + timedelta(seconds=1))
    assert await ids(practice) == {sent}
    assert await store.describe(key_of(practice, conversation, unsent)) is None
    assert await store.describe(key_of(practice, conversation, sent)) is not None


async def test_the_process_of_the_relay_removes_them_beside_its_work(
    practice: Practice, settings: Settings, store: ObjectStore
) -> None:
    practice.clock.moment = datetime.now(UTC) - timedelta(days=2)
    patient, _, conversation = await practice.pair()
    file = await uploaded(patient, conversation)
    stop, (remove_files,) = asyncio.Event(), chores(settings)
    working = asyncio.create_task(remove_files(stop))
    for _ in range(1_000):
        if not await ids(practice):
            break
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(working, 60)
    assert await ids(practice) == set()
    assert await store.describe(key_of(practice, conversation, file)) is None


async def test_the_files_of_a_deleted_message_are_removed_once_no_upload_could_bring_them_back(
    practice: Practice, relay_view: asyncpg.Connection[asyncpg.Record], store: ObjectStore
) -> None:
    patient, therapist, conversation = await practice.pair()
    file = await uploaded(patient, conversation)
    message = await patient.send(conversation, "", attachmentIds=[file])
    await patient.delete(f"/api/messages/{message['id']}")
    assert (await therapist.get(f"/api/attachments/{file}")).status_code == 404
    await remove_discarded(relay_view, store, now=practice.clock.moment + UPLOAD_TIME - timedelta(seconds=1))
    assert await store.describe(key_of(practice, conversation, file)) is not None
    await remove_discarded(relay_view, store, now=practice.clock.moment + UPLOAD_TIME + timedelta(seconds=1))
    assert await store.describe(key_of(practice, conversation, file)) is None
    assert await ids(practice) == set()


async def test_with_the_keys_of_a_conversation_its_files_are_gone(
    practice: Practice, relay_view: asyncpg.Connection[asyncpg.Record], store: ObjectStore
) -> None:
    patient, therapist, conversation = await practice.pair()
    file = await uploaded(patient, conversation)
    await patient.send(conversation, "", attachmentIds=[file])
    await practice.administrator().post(f"/api/conversations/{conversation}/destroy-key")
    assert (await therapist.get(f"/api/attachments/{file}")).status_code == 404
    assert (await patient.post("/api/attachments", announced(conversation))).status_code in {404, 410}
    await remove_discarded(relay_view, store, now=practice.clock.moment + timedelta(days=1))
    assert await store.describe(key_of(practice, conversation, file)) is None


async def ids(practice: Practice) -> set[str]:
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        return {str(row["id"]) for row in await connection.fetch("select id from attachments")}


async def test_attachments_of_tenants_are_apart(practice: Practice) -> None:
    async def insert_row(connection: Connection, tenant_id: UUID) -> None:
        conversation_id, person = uuid4(), uuid4()
        await connection.execute(
            "insert into conversations (tenant_id, id, kind, patient_id, opened_by, opened_at, member_ids, therapist_ids,"
            " last_sequence, last_change_at, key_version) values ($1, $2, 'care_team', $3, $3, now(), '{}', '{}', 0, now(), 1)",
            tenant_id,
            conversation_id,
            person,
        )
        await connection.execute(
            "insert into attachments (tenant_id, id, conversation_id, uploader_id, content_type, size_bytes, sha256, key_version,"
            " name_nonce, name_ciphertext, state, requested_at)"
            " values ($1, $2, $3, $4, 'a/b', 1, $5, 1, $6, $7, 'pending', now())",
            tenant_id,
            uuid4(),
            conversation_id,
            person,
            b"0" * 32,
            b"0" * 12,
            b"0" * 20,
        )

    await assert_tenant_isolated(practice.pool, "attachments", insert_row)


async def test_without_an_object_store_nothing_can_be_attached(practice: Practice, settings: Settings) -> None:
    patient, _, conversation = await practice.pair()
    app = create_app(settings.model_copy(update={"attachment_store": None}))
    app.state.kit.tokens = ISSUER.verifier()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://messaging.test") as client,
    ):
        without = replace(patient, client=client)
        assert (await without.post("/api/attachments", announced(conversation))).status_code == 503
        assert (await without.get(f"/api/attachments/{uuid4()}")).status_code == 503


def test_google_storage_without_the_key_that_signs_links_refuses_to_start(database: ServiceDatabase, key_file: Path) -> None:
    facts = settings_of(database, key_file).model_dump()
    with pytest.raises(ValidationError, match="attachment_store_gcs_credentials"):
        Settings(**{**facts, "attachment_store": "gs://bloom-attachments"})
    with pytest.raises(ValidationError, match="named by"):
        Settings(**{**facts, "attachment_store": "ftp://bloom-attachments"})
