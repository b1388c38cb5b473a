"""The master key: every other secret of this service is derived from it (HKDF) or stored under it (AES-256-GCM)."""

import os
from base64 import b64decode

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth.domain.tokens import TokenKeys

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


class MasterKey:
    """Derives and seals; each purpose has a key of its own."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._sealing = AESGCM(self._derive("signing-keys"))

    def token_keys(self) -> TokenKeys:
        return TokenKeys(
            refresh=self._derive("refresh-tokens"),
            csrf=self._derive("csrf-tokens"),
            invitation=self._derive("invitations"),
            mark=self._derive("marks"),
        )

    def seal(self, secret: bytes, *, name: str) -> bytes:
        """Encrypt a secret; it opens only under the same name, so that rows cannot be swapped."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._sealing.encrypt(nonce, secret, name.encode())

    def open(self, sealed: bytes, *, name: str) -> bytes:
        """Decrypt what `seal` made; raise cryptography's InvalidTag for another name, another key or a changed byte."""
        return self._sealing.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())

    def _derive(self, purpose: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"bloom/auth/{purpose}".encode()).derive(self._raw)
