"""Key-encryption keys in a file, for the local stack and for whoever has no key service.

The file is JSON: `{"current": "2026-11", "keys": {"2026-11": "<base64 of 32 bytes>"}}`. To rotate, add a key, make it the current
one, restart, run `rotate-keys`, and take the old one out.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from messaging.clients.keys.port import KeyRefused, own_name
from messaging.domain.keys import KeyPlace, WrappedKey

_KEY_BYTES, _NONCE_BYTES = 32, 12


class FileKeys:
    """Wraps by AES-256-GCM under keys that it was given by name."""

    scheme: ClassVar[str] = "file"

    def __init__(self, current: str, keys: dict[str, bytes]) -> None:
        if current not in keys or any(len(key) != _KEY_BYTES for key in keys.values()):
            raise ValueError("the current key must be among the keys, and each must have 32 bytes")
        self._current = current
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}

    @classmethod
    def read(cls, path: Path) -> FileKeys:
        """The keys of a file; raises ValueError for one that is no such file, without repeating what it holds."""
        try:
            content = json.loads(path.read_text())
            return cls(content["current"], {name: b64decode(key, validate=True) for name, key in content["keys"].items()})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(f"no key-encryption keys can be read from {path}") from None

    async def current_id(self) -> str:
        return f"{self.scheme}:{self._current}"

    async def wrap(self, secret: bytes, place: KeyPlace) -> WrappedKey:
        nonce = os.urandom(_NONCE_BYTES)
        blob = nonce + self._ciphers[self._current].encrypt(nonce, secret, place.as_bytes())
        return WrappedKey(await self.current_id(), blob)

    async def unwrap(self, wrapped: WrappedKey, place: KeyPlace) -> bytes:
        cipher = self._ciphers.get(own_name(wrapped.kek_id, self.scheme))
        if cipher is None:
            raise KeyRefused("no such key in the file")
        try:
            return cipher.decrypt(wrapped.blob[:_NONCE_BYTES], wrapped.blob[_NONCE_BYTES:], place.as_bytes())
        except (InvalidTag, ValueError) as error:
            raise KeyRefused("not wrapped by this key for this place") from error

    async def close(self) -> None:
        """Nothing is open."""


def new_key_file(name: str) -> str:
    """The content of a file with one fresh key of this name."""
    return json.dumps({"current": name, "keys": {name: b64encode(os.urandom(_KEY_BYTES)).decode()}})
