"""Files that only the holder of a key can read: AES-256-GCM, a piece at a time, so that no dump ever lies open on a disk.

Each piece is bound to its place, to being the last or not, and to the file's name: nothing can be cut off, moved or swapped.
"""

import hashlib
import hmac
import os
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from local_stack.errors import StackError

_MAGIC = b"bloom sealed 1\n"
_PIECE = 1 << 20
_TAG = 16
_PREFIX = 7


class Seal:
    """Seals and opens with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(key, b"bloom backup: contents", "sha256"))
        self._mark = hmac.digest(key, b"bloom backup: marks", "sha256")

    def seal(self, source: IO[bytes], target: IO[bytes], *, name: str) -> str:
        """Write the sealed form of all that `source` gives; returns its SHA-256."""
        prefix, number, digest = os.urandom(_PREFIX), 0, hashlib.sha256()

        def write(part: bytes) -> None:
            digest.update(part)
            target.write(part)

        write(_MAGIC + prefix)
        piece = source.read(_PIECE)
        while piece or not number:
            following = source.read(_PIECE)
            write(self._cipher.encrypt(_nonce(prefix, number, is_last=not following), piece, name.encode()))
            piece, number = following, number + 1
        return digest.hexdigest()

    def open(self, source: IO[bytes], target: IO[bytes], *, name: str) -> None:
        """Write what was sealed; StackError where it is not whole, not of this name, or sealed by another key."""
        head = source.read(len(_MAGIC) + _PREFIX)
        if not head.startswith(_MAGIC):
            raise StackError("backup", f"{name} is no sealed file")
        prefix, number = head[len(_MAGIC) :], 0
        piece = source.read(_PIECE + _TAG)
        while piece or not number:
            following = source.read(_PIECE + _TAG)
            try:
                target.write(self._cipher.decrypt(_nonce(prefix, number, is_last=not following), piece, name.encode()))
            except InvalidTag:
                raise StackError("backup", f"{name} is damaged, incomplete, or sealed by another key") from None
            piece, number = following, number + 1

    def mark_of(self, content: bytes) -> str:
        """What only a holder of the key can write beside a content, and by which he knows it again."""
        return hmac.new(self._mark, content, "sha256").hexdigest()


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + (b"\x01" if is_last else b"\x00")
