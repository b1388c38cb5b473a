"""Tokens that nobody should have: run out, forged, of other algorithms; one set is signed with the platform's own key."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.clients.access_tokens import AccessTokenIssuer, TokenPolicy
from auth.clients.master_key import MasterKey, read_master_key
from auth.domain.signing_keys import KeyRing
from auth.repository.signing_keys import SigningKeyRepository
from bloom_events.auth import Role
from bloom_events.ids import SessionId, TenantId, UserId
from local_stack.stack import Stack


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature of a token."""
    header, claims, signature = token.split(".")
    return json.loads(_bytes(header)), json.loads(_bytes(claims)), signature


def signed_by_the_platform(
    stack: Stack, like: str, *, issued_at: datetime, issuer: str | None = None, audience: str | None = None
) -> str:
    """A token with the claims of another, issued at another moment or for others, under the platform's real key."""
    _, claims, _ = parts(like)
    policy = TokenPolicy(issuer=issuer or claims["iss"], audience=audience or claims["aud"], lifetime=timedelta(minutes=10))
    master_key = MasterKey(read_master_key((stack.secrets / "auth-master-key").read_text().strip()))
    tokens = AccessTokenIssuer(policy, master_key)
    # The platform's keys are younger than the tokens that are wanted here.
    keys = (replace(key, activates_at=hours_ago(24)) for key in asyncio.run(_ring(stack)).keys)
    tokens.use_ring(KeyRing(tuple(keys)))
    return tokens.issue(
        user_id=UserId(UUID(claims["sub"])), role=Role(claims["role"]), tenant_id=TenantId(UUID(claims["tenant"])),
        session_id=SessionId(UUID(claims["sid"])), now=issued_at,
    )  # fmt: skip


def forgeries(token: str, jwks: dict[str, Any]) -> dict[str, str]:
    """Tokens that claim more than the given one, signed by nobody, by somebody else, or with the public key as a secret."""
    header, claims, signature = parts(token)
    wanted = _text({**claims, "role": "ADMINISTRATOR", "sub": str(uuid4())})
    public = _bytes(jwks["keys"][0]["x"])
    own = Ed25519PrivateKey.generate()
    own_jwk = {"kty": "OKP", "crv": "Ed25519", "x": _base64(own.public_key().public_bytes_raw())}
    symmetric = f"{_text({**header, 'alg': 'HS256'})}.{wanted}"
    embedded = f"{_text({**header, 'jwk': own_jwk})}.{wanted}"
    by_another = f"{_text(header)}.{wanted}"
    return {
        "other claims under the same signature": f"{_text(header)}.{wanted}.{signature}",
        "no algorithm": f"{_text({**header, 'alg': 'none'})}.{wanted}.",
        "no algorithm with a signature": f"{_text({**header, 'alg': 'None'})}.{wanted}.{signature}",
        "the public key as a secret": f"{symmetric}.{_base64(hmac.digest(public, symmetric.encode(), hashlib.sha256))}",
        "a key of its own inside": f"{embedded}.{_base64(own.sign(embedded.encode()))}",
        "somebody else's key": f"{by_another}.{_base64(own.sign(by_another.encode()))}",
        "an unknown key": f"{_text({**header, 'kid': '../../dev/null'})}.{wanted}.{signature}",
        "cut off": token[:-10],
        "not a token": "a.b.c",
    }


async def _ring(stack: Stack) -> KeyRing:
    connection = await asyncpg.connect(stack.surroundings.databases["auth"].app_url)
    try:
        return await SigningKeyRepository(connection).get_ring()
    finally:
        await connection.close()


def hours_ago(hours: float) -> datetime:
    """A moment before now; a negative number lies ahead."""
    return datetime.now(UTC) - timedelta(hours=hours)


def _text(document: dict[str, Any]) -> str:
    return _base64(json.dumps(document).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
