"""What providers are told, apart from what needs their libraries: a relay that reads its settings loads none of those."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from notifications.domain.notices import Timing

Security: TypeAlias = Literal["starttls", "tls", "none"]

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class MailConfig:
    """Where mail is handed over. `events_url` is the provider's log of one domain, as in Mailgun's API; none: nobody is asked."""

    host: str
    port: int
    security: Security
    sender: str
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    events_url: str | None = None
    events_key: SecretStr | None = None
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class SmsConfig:
    """One account at the provider, and the number that messages come from."""

    url: str
    account_sid: str
    auth_token: SecretStr
    sender: str
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class PushConfig:
    """This installation's key, whom a push service may write to about it, and which push services are called at all."""

    private_key: SecretStr
    subject: str
    hosts: frozenset[str]
    plain_http: bool = False
    timing: Timing = field(default_factory=Timing)


def public_key(private_key: SecretStr) -> str:
    """The public half of a VAPID key as browsers subscribe with it, an uncompressed point in base64url; ValueError for no key."""
    text = private_key.get_secret_value()
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("the key for push must be base64url") from None
    if len(raw) != _KEY_BYTES:
        raise ValueError("the key for push must be a number of 32 bytes, in base64url")
    key = derive_private_key(int.from_bytes(raw), SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()
