"""Opaque tokens that we hand out and can recognise: refresh tokens, invitations, CSRF tokens.

Each carries its tenant, so that the row it belongs to can be read under row security, and a proof: an HMAC under a key that
only this service has. Nothing that would let a reader of the database make a token is stored.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self
from uuid import UUID

from auth.domain.outcomes import InvitationNotUsable, RefreshRefused
from bloom_events.ids import InvitationId, SessionId, TenantId

PROOF_BYTES = 32
REFRESH_BYTES = 16 + 16 + 4 + PROOF_BYTES
INVITATION_BYTES = 16 + 16 + PROOF_BYTES


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TokenKeys:
    """One key per purpose, 32 bytes each, all derived from the master key."""

    refresh: bytes
    csrf: bytes
    invitation: bytes
    mark: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """The `generation`-th refresh token of a session."""

    tenant_id: TenantId
    session_id: SessionId
    generation: int
    proof: bytes = field(repr=False)

    @classmethod
    def issue(cls, *, key: bytes, seed: bytes, tenant_id: TenantId, session_id: SessionId, generation: int) -> Self:
        proof = _proof(key, tenant_id.bytes, session_id.bytes, generation.to_bytes(4, "big"), seed)
        return cls(tenant_id=tenant_id, session_id=session_id, generation=generation, proof=proof)

    @classmethod
    def parse(cls, text: str) -> Self:
        raw = _decode(text, REFRESH_BYTES)
        if raw is None:
            raise RefreshRefused
        return cls(
            tenant_id=TenantId(UUID(bytes=raw[:16])),
            session_id=SessionId(UUID(bytes=raw[16:32])),
            generation=int.from_bytes(raw[32:36], "big"),
            proof=raw[36:],
        )

    def is_genuine(self, *, key: bytes, seed: bytes) -> bool:
        expected = _proof(key, self.tenant_id.bytes, self.session_id.bytes, self.generation.to_bytes(4, "big"), seed)
        return hmac.compare_digest(expected, self.proof)

    def encode(self) -> str:
        return _encode(self.tenant_id.bytes + self.session_id.bytes + self.generation.to_bytes(4, "big") + self.proof)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationToken:
    """What an invited therapist registers with."""

    tenant_id: TenantId
    invitation_id: InvitationId
    proof: bytes = field(repr=False)

    @classmethod
    def issue(cls, *, key: bytes, tenant_id: TenantId, invitation_id: InvitationId) -> Self:
        return cls(tenant_id=tenant_id, invitation_id=invitation_id, proof=_proof(key, tenant_id.bytes, invitation_id.bytes))

    @classmethod
    def parse(cls, text: str, *, key: bytes) -> Self:
        """Read a token and make sure that it is one of ours."""
        raw = _decode(text, INVITATION_BYTES)
        if raw is None or not hmac.compare_digest(_proof(key, raw[:16], raw[16:32]), raw[32:]):
            raise InvitationNotUsable
        return cls(tenant_id=TenantId(UUID(bytes=raw[:16])), invitation_id=InvitationId(UUID(bytes=raw[16:32])), proof=raw[32:])

    def encode(self) -> str:
        return _encode(self.tenant_id.bytes + self.invitation_id.bytes + self.proof)


def csrf_token(*, key: bytes, tenant_id: TenantId, session_id: SessionId) -> str:
    """Give the token that pages of one session send back in `X-CSRF-Token`; it stays the same over refreshes."""
    return _encode(_proof(key, tenant_id.bytes, session_id.bytes))


def is_csrf_token(text: str, *, key: bytes, tenant_id: TenantId, session_id: SessionId) -> bool:
    expected = csrf_token(key=key, tenant_id=tenant_id, session_id=session_id)
    return hmac.compare_digest(expected.encode(), text.encode())


def keyed_mark(*, key: bytes, text: str) -> bytes:
    """Give what stands for a text where the text itself must not be: an e-mail address in limit keys and failure counts."""
    return _proof(key, text.encode())


def _proof(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(len(part).to_bytes(2, "big") + part for part in parts), sha256).digest()


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str, size: int) -> bytes | None:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    return raw if len(raw) == size and _encode(raw) == text else None
