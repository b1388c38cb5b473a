"""Who is calling: access tokens are checked by the issuer's public keys, and only subject, role, tenant and session come out.

Claims of an access token: `iss`, `aud`, `sub`, `iat`, `exp`, `jti`, `role`, `tenant`, `sid`. The algorithm is pinned to EdDSA
over Ed25519, whatever a token's header asks for. A refusal never says why.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from joserfc import jwt

from bloom_events.ids import TenantId
from service_kit import metrics
from service_kit.errors import ServiceUnavailable, Unauthorized
from service_kit.jwks import JwksSource
from service_kit.signing import ALGORITHM, LEEWAY_SECONDS, NOT_A_TOKEN, claims_signed_by, read_token, sign_token, text_claim

__all__ = ["ALGORITHM", "LEEWAY_SECONDS", "Caller", "TokenVerifier", "sign_token"]

_REMEMBERED_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """The person behind a request, as far as any service may know."""

    subject: UUID
    role: str
    tenant_id: TenantId
    session_id: UUID


class TokenVerifier:
    """Checks access tokens: signature by a key of the issuer, algorithm, issuer, audience, times and the four claims of a Caller.

    A token that was accepted once is remembered until it expires or the issuer's keys change, which saves the signature check.
    """

    def __init__(self, keys: JwksSource, *, issuer: str, audience: str, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._now = now
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        self._accepted: OrderedDict[str, tuple[Caller, float, int]] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """The caller whom a valid token names; raises Unauthorized for any other, ServiceUnavailable while no key is known."""
        return (await self.accept(token))[0]

    async def accept(self, token: str) -> tuple[Caller, float]:
        """The same, and when the token is over, in seconds of the epoch: for connections that outlive a request."""
        remembered = self._accepted.get(token)
        if remembered is not None and remembered[1] > self._now() and remembered[2] == self._keys.generation:
            return remembered[0], remembered[1]
        try:
            caller, expires_at = await self._check(token)
        except NOT_A_TOKEN as error:
            metrics.TOKENS.labels("refused").inc()
            raise Unauthorized from error
        except LookupError as error:
            raise ServiceUnavailable("The keys of the issuer cannot be had.") from error
        metrics.TOKENS.labels("accepted").inc()
        self._remember(token, caller, expires_at)
        return caller, expires_at

    async def _check(self, token: str) -> tuple[Caller, float]:
        signed = read_token(token)
        claims = claims_signed_by(signed, await self._keys.find(text_claim(signed.headers(), "kid")))
        self._claims.validate(claims)
        subject, role, tenant, session = (text_claim(claims, name) for name in ("sub", "role", "tenant", "sid"))
        return Caller(UUID(subject), role, TenantId(UUID(tenant)), UUID(session)), float(claims["exp"])

    def _remember(self, token: str, caller: Caller, expires_at: float) -> None:
        self._accepted[token] = (caller, expires_at, self._keys.generation)
        if len(self._accepted) > _REMEMBERED_TOKENS:
            self._accepted.popitem(last=False)
