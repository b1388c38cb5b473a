"""Unsealing: a message's text out of its AES-256-GCM seal."""

from __future__ import annotations

from base64 import b64decode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bloom_events.messaging import SealedMessageEvent, sealed_with


class SealBroken(Exception):  # noqa: N818  # named for what happened
    """The text is not what was sealed under this key for this place: it was changed, moved, or is no text at all."""


def unseal(message: SealedMessageEvent, key: bytes) -> str:
    """The text of a message; raises SealBroken."""
    place = sealed_with(message.conversation_id, message.message_id, message.sequence)
    try:
        return AESGCM(key).decrypt(b64decode(message.nonce), b64decode(message.ciphertext), place).decode()
    # ValueError is a nonce of an impossible length, text that is no UTF-8, or base64 that does not end well.
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error
