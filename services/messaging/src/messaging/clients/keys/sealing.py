"""Data keys: they seal texts by AES-256-GCM, bound to conversation, message and place, and tell one text from another."""

from __future__ import annotations

import hmac
import os
from functools import cached_property
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bloom_events.messaging import sealed_with
from messaging.domain.messages import SealedText

KEY_BYTES = 32
NONCE_BYTES = 12


class CannotUnseal(Exception):  # noqa: N818  # named for what happened
    """The seal does not hold: another key, another message or place, or changed bytes."""


class DataKey:
    """One version of a conversation's key. Its bytes are shown nowhere but in `secret`."""

    def __init__(self, version: int, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError("a data key has 32 bytes")
        self.version = version
        self.secret = secret
        self._cipher = AESGCM(secret)

    @classmethod
    def fresh(cls, version: int) -> DataKey:
        return cls(version, os.urandom(KEY_BYTES))

    def __repr__(self) -> str:
        return f"DataKey(version={self.version})"

    def seal(self, text: str, *, conversation_id: UUID, message_id: UUID, sequence: int) -> SealedText:
        """The text under this key. Random nonces are safe for 2^32 texts of one key; a conversation has far fewer."""
        nonce = os.urandom(NONCE_BYTES)
        bound = sealed_with(conversation_id, message_id, sequence)
        return SealedText(self.version, sequence, nonce, self._cipher.encrypt(nonce, text.encode(), bound))

    def unseal(self, sealed: SealedText, *, conversation_id: UUID, message_id: UUID) -> str:
        """The text; raises CannotUnseal."""
        bound = sealed_with(conversation_id, message_id, sealed.sequence)
        try:
            return self._cipher.decrypt(sealed.nonce, sealed.ciphertext, bound).decode()
        except InvalidTag as error:
            raise CannotUnseal from error

    def digest(self, content: bytes) -> bytes:
        """32 bytes that are the same for the same content only, and tell nothing to whoever lacks the key."""
        return hmac.digest(self._digest_key, content, "sha256")

    @cached_property
    def _digest_key(self) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"bloom messaging: digest of a message").derive(
            self.secret
        )
