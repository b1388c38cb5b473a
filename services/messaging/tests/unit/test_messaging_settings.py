"""Settings are refused before anything starts when they could not be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from messaging.clients.keys.choosing import open_keyring
from messaging.clients.keys.file_keys import new_key_file
from messaging.settings import Settings
from service_kit.settings import describe

DATABASE = SecretStr("postgresql://messaging_app:hidden@127.0.0.1/bloom_messaging")


def given(**more: Any) -> Settings:
    return Settings(**{"environment": "test", "database_url": DATABASE, "key_encryption": "file:/keys.json", **more})


def test_the_keeper_of_keys_has_no_default() -> None:
    with pytest.raises(ValidationError, match="key_encryption"):
        Settings(environment="test", database_url=DATABASE)  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize(
    "name",
    [
        "writing_limit_per_person",
        "writing_limit_per_conversation",
        "receipt_limit_per_person",
        "search_limit_per_person",
        "opening_limit_per_person",
        "attachment_limit_per_person",
    ],
)
def test_a_limit_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        given(**{name: "often"})


def test_the_longest_text_in_its_longest_spelling_fits_into_a_request() -> None:
    longest = 10_000 * len(rb"\ud83d\ude00")

    assert longest < given().request_body_limit_bytes


async def test_former_keepers_are_opened_beside_the_current_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(new_key_file("first"))

    keyring = open_keyring(given(key_encryption=f"file:{path}", former_key_encryption=f" file:{path}, "))

    assert await keyring.current_id() == "file:first"
    with pytest.raises(ValueError, match="key-encryption keys are named by"):
        open_keyring(given(key_encryption=f"file:{path}", former_key_encryption="nobody"))


def test_no_secret_is_described() -> None:
    assert "hidden" not in str(describe(given()))
