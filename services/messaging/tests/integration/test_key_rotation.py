"""Keys are renewed and wrapped anew while people write; what was written stays readable throughout."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from messaging.clients.keys.choosing import open_keeper
from messaging.clients.keys.file_keys import new_key_file
from messaging.clients.keys.keyring import Keyring
from messaging.settings import Settings
from service_kit.testing import as_tenant

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

KEYS = "select conversation_id, version, kek_id, wrapped_key from conversation_keys order by 1, 2"


async def keys_of(practice: Any) -> list[asyncpg.Record]:
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        return list(await connection.fetch(KEYS))


@contextmanager
def rotated(key_file: Path, name: str) -> Iterator[None]:
    """The file has another current key, and the former ones beside it; at the end the first one is current again."""
    content, fresh = json.loads(key_file.read_text()), json.loads(new_key_file(name))
    content["keys"] |= fresh["keys"]
    key_file.write_text(json.dumps(content | {"current": name}))
    try:
        yield
    finally:
        key_file.write_text(json.dumps(content))


async def run_command(settings: Settings, database: ServiceDatabase, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m messaging rotate-keys`, as an operator runs it."""
    environment = {
        **os.environ,
        "MESSAGING_ENVIRONMENT": "test",
        "MESSAGING_DATABASE_URL": database.app_url,
        "MESSAGING_RELAY_DATABASE_URL": database.relay_url,
        "MESSAGING_KEY_ENCRYPTION": settings.key_encryption,
    }
    command = [sys.executable, "-m", "messaging", "rotate-keys", *arguments]
    return await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=100)


async def test_the_command_wraps_all_keys_anew_and_shows_how_far_it_is(
    practice: Any, settings: Settings, database: ServiceDatabase, key_file: Path, tmp_path: Path
) -> None:
    pairs = [await practice.pair() for _ in range(3)]
    for number, (patient, _, conversation_id) in enumerate(pairs):
        await patient.send(conversation_id, f"message {number}")
    await practice.administrator().post(f"/api/conversations/{pairs[0][2]}/destroy-key")
    before = await keys_of(practice)

    with rotated(key_file, "second"):
        first, again = [await run_command(settings, database) for _ in range(2)]
        after = await keys_of(practice)
        only_second = await asyncio.to_thread(lambda: json.loads(key_file.read_text()))

    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert any("keys wrapped anew" in line for line in lines)
    assert "All keys are wrapped by the current key-encryption key." in lines
    assert "keys wrapped anew" not in again.stdout
    assert {row["kek_id"] for row in after if row["wrapped_key"]} == {"file:second"}
    assert [row["wrapped_key"] is None for row in after] == [row["wrapped_key"] is None for row in before]
    # Nothing needs the first key any more.
    only_second["keys"] = {"second": only_second["keys"]["second"]}
    with another_keyring(practice, keyring_of(tmp_path, json.dumps(only_second))):
        bodies = [[each["body"] for each in await patient.history(conversation_id)] for patient, _, conversation_id in pairs]
    assert bodies == [[None], ["message 1"], ["message 2"]]


def keyring_of(folder: Path, content: str) -> Keyring:
    (folder / "keys.json").write_text(content)
    return Keyring(open_keeper(f"file:{folder / 'keys.json'}"))


@contextmanager
def another_keyring(practice: Any, keyring: Keyring) -> Iterator[None]:
    resources = practice.app.state.kit.resources
    kept = resources["keyring"]
    resources["keyring"] = keyring
    try:
        yield
    finally:
        resources["keyring"] = kept


async def test_without_its_key_encryption_key_nothing_is_read_and_nothing_is_lost(practice: Any, tmp_path: Path) -> None:
    patient, _, conversation_id = await practice.pair()
    await patient.send(conversation_id, "hello")

    with another_keyring(practice, keyring_of(tmp_path, new_key_file("another"))):
        read = await patient.get(f"/api/conversations/{conversation_id}/messages")
        written = await patient.post("/api/messages", {"conversationId": conversation_id, "body": "hello"})

    assert (read.status_code, written.status_code) == (503, 503)
    assert [each["body"] for each in await patient.history(conversation_id)] == ["hello"]
    assert (await patient.send(conversation_id, "again"))["sequence"] == 4


async def test_a_renewed_key_seals_what_is_written_from_then_on(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    old = await patient.send(conversation_id, "under the first")
    answer = await practice.administrator().post(f"/api/conversations/{conversation_id}/rotate-key")
    assert answer.status_code == 200
    await patient.send(conversation_id, "under the second")
    await patient.patch(f"/api/messages/{old['id']}", {"body": "edited under the second"})

    versions = [body["key_version"] for kind, body in await practice.published() if "ciphertext" in body]
    assert versions == [1, 2, 2]
    practice.keyring.forget(practice.tenant_id, answer.json()["id"])
    bodies = [each["body"] for each in await therapist.history(conversation_id)]
    assert bodies == ["under the second", "edited under the second"]
    for version in (1, 2):
        assert (
            await practice.ask_as("ml-scoring", f"/internal/conversations/{conversation_id}/keys/{version}")
        ).status_code == 200


async def test_a_retry_is_recognised_after_the_key_was_renewed(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    body = {"conversationId": conversation_id, "body": "hello", "id": "0195a000-0000-7000-8000-00000000aaaa"}
    first = await patient.post("/api/messages", body)
    await practice.administrator().post(f"/api/conversations/{conversation_id}/rotate-key")

    assert (await patient.post("/api/messages", body)).json() == first.json()
    assert (await patient.post("/api/messages", {**body, "body": "bye"})).status_code == 409


async def test_keys_are_renewed_while_people_write(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    administrator = practice.administrator()

    async def renew() -> None:
        for _ in range(5):
            answer = await administrator.post(f"/api/conversations/{conversation_id}/rotate-key")
            assert answer.status_code == 200, answer.text

    async def write(person: Any) -> None:
        for number in range(20):
            await person.send(conversation_id, f"message {number}")

    await asyncio.gather(renew(), renew(), write(patient), write(therapist))

    assert sorted({row["version"] for row in await keys_of(practice)}) == list(range(1, len(await keys_of(practice)) + 1))
    assert all(each["body"].startswith("message") for each in await patient.history(conversation_id))
    assert [each["sequence"] for each in await patient.changes(conversation_id)] == list(range(1, 43))


async def test_the_command_renews_keys_that_are_older_than_asked(
    practice: Any, settings: Settings, database: ServiceDatabase
) -> None:
    practice.clock.moment = practice.clock.moment.replace(year=2020)
    old = (await practice.pair())[2]
    practice.clock.moment = practice.clock.moment.replace(year=2030)
    young = (await practice.pair())[2]

    done = await run_command(settings, database, "--data-keys-older-than", "90")

    assert done.returncode == 0, done.stderr
    assert "conversations have new keys" in done.stdout
    versions = {str(row["conversation_id"]): row["version"] for row in await keys_of(practice)}
    assert (versions[old], versions[young]) == (2, 1)


async def test_the_command_goes_on_past_a_damaged_key_and_says_so(
    practice: Any, settings: Settings, database: ServiceDatabase, key_file: Path
) -> None:
    damaged, sound = [(await practice.pair())[2] for _ in range(2)]
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        found = await connection.execute("update conversation_keys set wrapped_key = '\\x00' where conversation_id = $1", damaged)
        assert found == "UPDATE 1"

    with rotated(key_file, "third"):
        done = await run_command(settings, database)
        keks = {str(row["conversation_id"]): row["kek_id"] for row in await keys_of(practice)}

        # Nothing of it stays in the way of the other tests.
        await practice.administrator().post(f"/api/conversations/{damaged}/destroy-key")

    assert done.returncode == 1
    assert "1 keys could not be opened" in done.stderr
    assert (keks[damaged], keks[sound]) == ("file:first", "file:third")


@pytest.mark.parametrize("missing", ["MESSAGING_RELAY_DATABASE_URL", "MESSAGING_KEY_ENCRYPTION"])
async def test_the_command_says_what_it_lacks(settings: Settings, database: ServiceDatabase, missing: str) -> None:
    environment = {
        **os.environ,
        "MESSAGING_ENVIRONMENT": "test",
        "MESSAGING_DATABASE_URL": database.app_url,
        "MESSAGING_RELAY_DATABASE_URL": database.relay_url,
        "MESSAGING_KEY_ENCRYPTION": settings.key_encryption,
    }
    environment.pop(missing)
    command = [sys.executable, "-m", "messaging", "rotate-keys"]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=100)

    assert done.returncode == 1
    assert missing.removeprefix("MESSAGING_").lower() in done.stderr.lower()
