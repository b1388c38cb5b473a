"""Links by which whoever holds an e-mail stops more of its kind, without signing in: signed, so that nobody can make one up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bloom_events.ids import TenantId, UserId
from bloom_events.notifications import Channel
from notifications.domain.notices import Kind
from notifications.domain.preferences import CHOICES
from notifications.domain.refusals import LinkNotValid

_MAC_BYTES = 16
_LENGTH = 16 + 16 + 1 + _MAC_BYTES
_PURPOSE = b"bloom notifications unsubscribe v1"


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """Who gets no more of what, by which channel."""

    tenant_id: TenantId
    user_id: UserId
    kind: Kind
    channel: Channel


class UnsubscribeLinks:
    """Makes and reads tokens, which never end, for mail does not. The first key signs, those of the others are still read."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def token(self, wish: Unsubscription) -> str:
        choice = CHOICES.index((wish.kind, wish.channel))
        body = UUID(int=wish.tenant_id.int).bytes + UUID(int=wish.user_id.int).bytes + bytes([choice])
        return base64.urlsafe_b64encode(body + _mac(self._keys[0], body)).rstrip(b"=").decode()

    def read(self, token: str) -> Unsubscription:
        """What a link asks for; raises LinkNotValid for any that was not made here."""
        body, mac = _split(token)
        if not any(hmac.compare_digest(mac, _mac(key, body)) for key in self._keys):
            raise LinkNotValid
        kind, channel = CHOICES[body[32]]
        return Unsubscription(TenantId(UUID(bytes=body[:16])), UserId(UUID(bytes=body[16:32])), kind, channel)


def _split(token: str) -> tuple[bytes, bytes]:
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise LinkNotValid from error
    if len(raw) != _LENGTH or raw[32] >= len(CHOICES):
        raise LinkNotValid
    return raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + body, hashlib.sha256)[:_MAC_BYTES]
