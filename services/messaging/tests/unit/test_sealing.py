"""A sealed text opens in its own place under its own key, and nowhere else."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from bloom_events.messaging import sealed_with
from messaging.clients.keys.sealing import CannotUnseal, DataKey

CONVERSATION, MESSAGE = UUID(int=1), UUID(int=2)
KEY = DataKey(1, bytes(range(32)))
TEXT = "See you on Tuesday. \N{SLIGHTLY SMILING FACE}"


def test_the_seal_is_the_one_that_the_contract_describes() -> None:
    sealed = KEY.seal(TEXT, conversation_id=CONVERSATION, message_id=MESSAGE, sequence=7)

    opened = AESGCM(bytes(range(32))).decrypt(sealed.nonce, sealed.ciphertext, sealed_with(CONVERSATION, MESSAGE, 7))

    assert opened.decode() == TEXT
    assert (len(sealed.nonce), len(sealed.ciphertext)) == (12, len(TEXT.encode()) + 16)
    assert (sealed.key_version, sealed.sequence) == (1, 7)


def test_a_fixed_vector_still_opens() -> None:
    """Held for good: texts that were sealed by an older release stay readable."""
    sealed = replace(
        KEY.seal("x", conversation_id=CONVERSATION, message_id=MESSAGE, sequence=7),
        nonce=bytes(12),
        ciphertext=b64decode("b5zTt81J551+zcpBd16bavfQW4kD/3FpCiyDMtGw6A=="),
    )

    assert KEY.unseal(sealed, conversation_id=CONVERSATION, message_id=MESSAGE) == "a fixed vector\n"


@pytest.mark.parametrize("changed", ["conversation", "message", "sequence", "key", "nonce", "text", "tag", "cut"])
def test_a_seal_holds_in_its_own_place_only(changed: str) -> None:
    sealed = KEY.seal(TEXT, conversation_id=CONVERSATION, message_id=MESSAGE, sequence=7)
    flipped = {
        "sequence": replace(sealed, sequence=8),
        "nonce": replace(sealed, nonce=bytes(12)),
        "text": replace(sealed, ciphertext=bytes([sealed.ciphertext[0] ^ 1]) + sealed.ciphertext[1:]),
        "tag": replace(sealed, ciphertext=sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1])),
        "cut": replace(sealed, ciphertext=sealed.ciphertext[:-1]),
    }.get(changed, sealed)
    key = DataKey.fresh(1) if changed == "key" else KEY
    conversation_id = uuid4() if changed == "conversation" else CONVERSATION
    message_id = uuid4() if changed == "message" else MESSAGE

    with pytest.raises(CannotUnseal):
        key.unseal(flipped, conversation_id=conversation_id, message_id=message_id)


@given(st.text(max_size=200), st.integers(min_value=1, max_value=2**53 - 1))
def test_every_text_comes_back_as_it_was(text: str, sequence: int) -> None:
    sealed = KEY.seal(text, conversation_id=CONVERSATION, message_id=MESSAGE, sequence=sequence)

    assert KEY.unseal(sealed, conversation_id=CONVERSATION, message_id=MESSAGE) == text


def test_the_same_text_is_never_sealed_alike() -> None:
    seals = {KEY.seal(TEXT, conversation_id=CONVERSATION, message_id=MESSAGE, sequence=7).ciphertext for _ in range(100)}

    assert len(seals) == 100


def test_a_digest_depends_on_the_content_and_on_the_key() -> None:
    other = DataKey(1, bytes(32))

    assert KEY.digest(b"content") == DataKey(2, bytes(range(32))).digest(b"content")
    assert len({KEY.digest(b"content"), KEY.digest(b"contents"), other.digest(b"content")}) == 3


def test_a_key_does_not_show_itself() -> None:
    assert repr(KEY) == "DataKey(version=1)"
    with pytest.raises(ValueError, match="32 bytes"):
        DataKey(1, bytes(31))
