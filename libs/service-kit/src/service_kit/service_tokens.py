"""Which service is calling: each signs short tokens with a key of its own, and a called service knows the public keys of a few.

The form is that of RFC 7523: `iss` and `sub` are the calling service, `aud` is the called one, `exp` is a minute away. There is
no shared secret and no third service that has to be up. Such routes stand below `/internal`, which no gateway lets through.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import OKPKey
from pydantic import SecretStr

from bloom_events.ids import TenantId
from service_kit.errors import Unauthorized
from service_kit.signing import LEEWAY_SECONDS, NOT_A_TOKEN, claims_signed_by, read_token, sign_token, text_claim, unproved_claims

LIFETIME_SECONDS = 60


def new_service_key() -> str:
    """A fresh private key (Ed25519 JWK as JSON) for one service's `<SERVICE>_SERVICE_KEY`."""
    return json.dumps(OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=True))


def public_service_key(private: str) -> dict[str, Any]:
    """The public half, for the `<SERVICE>_TRUSTED_SERVICES` of those who are called."""
    return dict(OKPKey.import_key(json.loads(private)).as_dict(private=False))


class ServiceTokenSigner:
    """Signs tokens in the name of one service; raises ValueError for a key that is none."""

    def __init__(self, service: str, key: SecretStr, *, now: Callable[[], float] = time.time) -> None:
        self._service = service
        self._key = _key(json.loads(key.get_secret_value()))
        self._now = now
        if not self._key.is_private:
            raise ValueError("the key of a service must be a private one")

    def token(self, audience: str) -> str:
        """A token that is good for a minute at the service `audience` alone."""
        issued_at = int(self._now())
        claims = {"iss": self._service, "sub": self._service, "aud": audience, "iat": issued_at}
        return sign_token({**claims, "exp": issued_at + LIFETIME_SECONDS, "jti": str(uuid4())}, self._key)

    def headers(self, audience: str, tenant_id: TenantId) -> dict[str, str]:
        """The headers of a request to the service `audience` about this tenant."""
        return {"Authorization": f"Bearer {self.token(audience)}", "X-Tenant-Id": str(tenant_id)}


class ServiceTokenVerifier:
    """Accepts tokens of the services whose public keys it was given; raises ValueError for a key that is none."""

    def __init__(self, service: str, trusted: Mapping[str, Mapping[str, str]], *, now: Callable[[], float] = time.time) -> None:
        self._keys = {name: _key(dict(jwk)) for name, jwk in trusted.items()}
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True},
            aud={"essential": True, "value": service},
            exp={"essential": True},
            iat={"essential": True},
        )

    def verify(self, token: str) -> str:
        """The name of the service that signed a valid token; raises Unauthorized for any other, and never says why."""
        try:
            signed = read_token(token)
            name = text_claim(unproved_claims(signed), "iss")
            claims = claims_signed_by(signed, self._keys.get(name))
            self._claims.validate(claims)
            if claims["sub"] != name or claims["exp"] - claims["iat"] > LIFETIME_SECONDS:
                raise ValueError("not a service's token")
        except NOT_A_TOKEN as error:
            raise Unauthorized from error
        return name


def _key(jwk: dict[str, Any]) -> OKPKey:
    key = OKPKey.import_key(jwk)
    if key.curve_name != "Ed25519":
        raise ValueError("the keys of services are Ed25519 keys")
    return key
