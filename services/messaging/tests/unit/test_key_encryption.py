"""Data keys are wrapped for their place alone: by a file, and by whoever else keeps the keys."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from bloom_events.ids import ConversationId, TenantId
from messaging.clients.keys.choosing import open_keeper
from messaging.clients.keys.file_keys import FileKeys, new_key_file
from messaging.clients.keys.keyring import Keyring
from messaging.clients.keys.port import KeyRefused
from messaging.domain.keys import KeyPlace, WrappedKey

SECRET = bytes(range(32))


def a_place(version: int = 1) -> KeyPlace:
    return KeyPlace(TenantId(uuid4()), ConversationId(uuid4()), version)


async def test_a_wrapped_key_opens_for_its_own_place_only() -> None:
    keys, place = FileKeys("first", {"first": bytes(32)}), a_place()
    wrapped = await keys.wrap(SECRET, place)

    assert SECRET not in wrapped.blob
    assert wrapped.kek_id == "file:first"
    assert await keys.unwrap(wrapped, place) == SECRET
    for elsewhere in (
        replace(place, version=2),
        replace(place, conversation_id=ConversationId(uuid4())),
        replace(place, tenant_id=TenantId(uuid4())),
    ):
        with pytest.raises(KeyRefused):
            await keys.unwrap(wrapped, elsewhere)


@pytest.mark.parametrize(
    "wrapped",
    [
        WrappedKey("file:second", b"\x00" * 60),
        WrappedKey("file:first", b"\x00" * 60),
        WrappedKey("file:first", b""),
        WrappedKey("aws-kms:first", b"\x00" * 60),
    ],
)
async def test_what_a_file_cannot_open_is_refused(wrapped: WrappedKey) -> None:
    with pytest.raises(KeyRefused):
        await FileKeys("first", {"first": bytes(32)}).unwrap(wrapped, a_place())


async def test_a_file_has_several_keys_of_which_one_wraps(tmp_path: Path) -> None:
    path, place = tmp_path / "keys.json", a_place()
    path.write_text(new_key_file("2026-11"))
    wrapped = await FileKeys.read(path).wrap(SECRET, place)
    content = json.loads(path.read_text())
    content["keys"] |= json.loads(new_key_file("2026-12"))["keys"]
    path.write_text(json.dumps(content | {"current": "2026-12"}))

    keys = FileKeys.read(path)

    assert await keys.current_id() == "file:2026-12"
    assert await keys.unwrap(wrapped, place) == SECRET
    assert (await keys.wrap(SECRET, place)).kek_id == "file:2026-12"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"current": "a", "keys": {}}',
        '{"current": "a", "keys": {"a": "c2hvcnQ="}}',
        '{"current": "a", "keys": {"a": "?"}}',
    ],
)
def test_a_broken_file_is_refused_without_saying_what_it_holds(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(ValueError, match="no key-encryption keys can be read") as refused:
        FileKeys.read(path)
    assert "c2hvcnQ" not in str(refused.value)


@pytest.mark.parametrize("address", ["", "file", "file:", "vault:x", "aws-kms:", "google-kms:"])
def test_an_address_names_one_of_the_keepers(address: str) -> None:
    with pytest.raises(ValueError, match="key-encryption keys are named by"):
        open_keeper(address)


def test_a_file_is_named_with_or_without_slashes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(new_key_file("first"))

    for address in (f"file:{path}", f"file://{path}"):
        assert isinstance(open_keeper(address), FileKeys)


class CountingKeys:
    """A keeper that says how often it was asked, and waits until it may answer."""

    scheme: ClassVar[str] = "counting"

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def current_id(self) -> str:
        return "counting:1"

    async def wrap(self, secret: bytes, _: KeyPlace) -> WrappedKey:
        return WrappedKey("counting:1", secret)

    async def unwrap(self, wrapped: WrappedKey, _: KeyPlace) -> bytes:
        self.asked += 1
        await self.may_answer.wait()
        if self.is_away:
            raise KeyRefused("away")
        return wrapped.blob

    async def close(self) -> None:
        self.asked = -1


class Passing:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_keyring(**given: Any) -> tuple[Keyring, CountingKeys, Passing]:
    keeper, passing = CountingKeys(), Passing()
    return Keyring(keeper, monotonic=passing, **given), keeper, passing


async def test_a_key_is_asked_for_once_and_kept_for_minutes() -> None:
    keyring, keeper, passing = a_keyring(lifetime_seconds=300)
    place, wrapped = a_place(), WrappedKey("counting:1", SECRET)

    first = await keyring.open(wrapped, place)
    passing.seconds = 299
    assert await keyring.open(wrapped, place) is first
    assert keyring.find(place) is first
    assert keeper.asked == 1
    passing.seconds = 300
    assert keyring.find(place) is None
    assert not keyring.has_any(place.tenant_id, place.conversation_id)
    await keyring.open(wrapped, place)
    assert keeper.asked == 2


async def test_many_who_ask_at_once_are_one_call() -> None:
    keyring, keeper, _ = a_keyring()
    keeper.may_answer.clear()
    place = a_place()
    asking = [asyncio.create_task(keyring.open(WrappedKey("counting:1", SECRET), place)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    keeper.may_answer.set()

    keys = await asyncio.gather(*asking[1:])

    assert keeper.asked == 1
    assert len(set(map(id, keys))) == 1


async def test_a_refusal_is_not_kept() -> None:
    keyring, keeper, _ = a_keyring()
    place, wrapped = a_place(), WrappedKey("counting:1", SECRET)
    keeper.is_away = True
    with pytest.raises(KeyRefused):
        await keyring.open(wrapped, place)

    keeper.is_away = False

    assert (await keyring.open(wrapped, place)).secret == SECRET


async def test_a_keyring_keeps_at_most_so_many_conversations_and_drops_those_unused_longest() -> None:
    keyring, keeper, _ = a_keyring(most=3)
    places = [a_place() for _ in range(4)]
    for place in places[:3]:
        await keyring.open(WrappedKey("counting:1", SECRET), place)
    keyring.find(places[0])
    await keyring.open(WrappedKey("counting:1", SECRET), places[3])

    assert [keyring.find(place) is not None for place in places] == [True, False, True, True]
    assert keeper.asked == 4


async def test_what_is_forgotten_is_asked_for_again() -> None:
    keyring, keeper, _ = a_keyring()
    place = a_place()
    await keyring.open(WrappedKey("counting:1", SECRET), place)

    keyring.forget(place.tenant_id, place.conversation_id)

    assert keyring.find(place) is None
    assert not keyring.has_any(place.tenant_id, place.conversation_id)
    assert keeper.asked == 1


async def test_keys_of_a_former_keeper_open_and_move_to_the_current_one() -> None:
    keeper, place = CountingKeys(), a_place()
    keyring = Keyring(FileKeys("first", {"first": bytes(32)}), [keeper])
    old = WrappedKey("counting:1", SECRET)

    assert (await keyring.open(old, place)).secret == SECRET
    moved = await keyring.wrap_anew(old, place)
    assert moved.kek_id == "file:first"
    assert (await Keyring(FileKeys("first", {"first": bytes(32)})).open(moved, place)).secret == SECRET
    with pytest.raises(KeyRefused):
        await keyring.open(WrappedKey("vault:1", SECRET), replace(place, version=2))
    await keyring.aclose()
    assert keeper.asked == -1
