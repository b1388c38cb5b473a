"""The master key: every other secret of this service is derived from it (HKDF), each purpose with a key of its own."""

from __future__ import annotations

import os
from base64 import b64decode
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

UNSUBSCRIBE_LINKS = "unsubscribe-links"
"""The purpose of the key that signs unsubscribe links."""

KEY_BYTES = 32
NONCE_BYTES = 12


def read_master_key(text: str) -> bytes:
    """Read 32 bytes in base64; raise ValueError, without the value, for anything else."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise ValueError("the master key must be base64") from None
    if len(raw) != KEY_BYTES:
        raise ValueError("the master key must be 32 bytes, in base64")
    return raw


def derived_key(master_key: bytes, purpose: str) -> bytes:
    """The 32 bytes that serve one purpose; nothing about the master key or another purpose follows from them."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"bloom/notifications/{purpose}".encode()).derive(
        master_key
    )


class NoteSeal:
    """Seals the notes that people leave about alerts (AES-256-GCM); a note opens for its own alert only."""

    def __init__(self, master_key: bytes) -> None:
        self._key = AESGCM(derived_key(master_key, "alert-notes"))

    def seal(self, note: str, alert_id: UUID) -> bytes:
        """The sealed note with its nonce before it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, note.encode(), alert_id.bytes)

    def open(self, sealed: bytes, alert_id: UUID) -> str:
        """The note again; raises cryptography's InvalidTag for another alert, another key or a changed byte."""
        return self._key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], alert_id.bytes).decode()
