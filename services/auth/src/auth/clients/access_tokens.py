"""Access tokens: short-lived JWTs (EdDSA over Ed25519) that every service checks with the published keys."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from auth.clients.master_key import MasterKey
from auth.domain.signing_keys import KeyRing, SigningKey
from bloom_events.auth import Role
from bloom_events.ids import SessionId, TenantId, UserId
from service_kit.errors import ServiceUnavailable
from service_kit.jwks import JwksSource, fixed_jwks
from service_kit.tokens import sign_token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """Whose tokens they are, for whom, and how long each is good."""

    issuer: str
    audience: str
    lifetime: timedelta


class AccessTokenIssuer:
    """Signs with the newest key whose time has come; `use_ring` gives it the keys whenever they were read anew."""

    def __init__(self, policy: TokenPolicy, master_key: MasterKey) -> None:
        self.policy = policy
        self._master_key = master_key
        self._ring = KeyRing(())
        self.own_keys = OwnKeys()
        self._opened: dict[str, OKPKey] = {}

    @property
    def is_ready(self) -> bool:
        return bool(self._ring.keys)

    def use_ring(self, ring: KeyRing) -> None:
        """Take the keys as they are now, and forget the private parts of those that are gone."""
        self._ring = ring
        self._opened = {key.kid: self._opened.get(key.kid) or self._open(key) for key in ring.keys}
        self.own_keys.renew(self.jwks())

    def jwks(self) -> dict[str, Any]:
        """Every key that verifies a token that may still be alive, and the next one, as a JWK set (RFC 7517, RFC 8037)."""
        return {"keys": [public_jwk(key) for key in self._ring.keys]}

    def issue(self, *, user_id: UserId, role: Role, tenant_id: TenantId, session_id: SessionId, now: datetime) -> str:
        key = self._ring.signing_key(now)
        if key is None:
            raise ServiceUnavailable("There is no signing key yet.")
        issued_at = int(now.timestamp())
        claims = {
            "iss": self.policy.issuer,
            "aud": self.policy.audience,
            "sub": str(user_id),
            "iat": issued_at,
            "exp": issued_at + int(self.policy.lifetime.total_seconds()),
            "jti": str(uuid4()),
            "role": role.value,
            "tenant": str(tenant_id),
            "sid": str(session_id),
        }
        return sign_token(claims, self._opened[key.kid])

    def _open(self, key: SigningKey) -> OKPKey:
        private = self._master_key.open(key.sealed_private_key, name=key.kid)
        return OKPKey.import_key({**public_jwk(key), "d": _base64(private)})


class OwnKeys(JwksSource):
    """The keys for checking our own tokens: at hand as soon as they were read, without a fetch."""

    def __init__(self) -> None:
        super().__init__(fixed_jwks({"keys": []}))

    def renew(self, document: Mapping[str, Any]) -> None:
        self._take(document)

    async def find(self, kid: str) -> OKPKey | None:
        return self._keys.get(kid)


def make_signing_key(master_key: MasterKey, *, activates_at: datetime) -> SigningKey:
    """Make a key pair; its name is a digest of the public part, so that no two keys share one."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    kid = _base64(sha256(public).digest()[:12])
    sealed = master_key.seal(private.private_bytes_raw(), name=kid)
    return SigningKey(kid=kid, public_key=public, sealed_private_key=sealed, activates_at=activates_at)


def public_jwk(key: SigningKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid, "x": _base64(key.public_key)}


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
