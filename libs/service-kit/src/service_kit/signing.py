"""Signed tokens in their compact form, by one algorithm only: EdDSA over Ed25519, whatever a token's header asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import OKPKey
from joserfc.jws import CompactSignature, JWSRegistry

ALGORITHM = "EdDSA"
LEEWAY_SECONDS = 5
"""How far the clocks of issuer and verifier may be apart."""

NOT_A_TOKEN = (JoseError, ValueError, TypeError, KeyError, RecursionError)
"""What reading a token that is not ours can raise."""

_MAX_TOKEN_LENGTH = 4096


def sign_token(claims: Mapping[str, Any], key: OKPKey) -> str:
    """A compact JWT over `claims`, signed by an Ed25519 key; its header names the key's id."""
    header = {"alg": ALGORITHM, "kid": key.kid}
    return jwt.encode(header, dict(claims), key, algorithms=[ALGORITHM], registry=_pinned())


def read_token(token: str) -> CompactSignature:
    """The parts of a token, of which nothing is proved yet; raises one of NOT_A_TOKEN."""
    if len(token) > _MAX_TOKEN_LENGTH or not token.isascii():
        raise ValueError("not a token of ours")
    return jws.extract_compact(token.encode(), registry=_pinned())


def claims_signed_by(signed: CompactSignature, key: OKPKey | None) -> dict[str, Any]:
    """The claims of a token that this key has signed; raises one of NOT_A_TOKEN for any other."""
    if key is None or not jws.validate_compact(signed, key, [ALGORITHM], _pinned()):
        raise ValueError("not signed by the issuer")
    return unproved_claims(signed)


def unproved_claims(signed: CompactSignature) -> dict[str, Any]:
    """What a token says before its signature is checked, good for finding the key only; raises one of NOT_A_TOKEN."""
    claims = json.loads(signed.payload)
    if not isinstance(claims, dict):
        raise TypeError("claims")
    return claims


def text_claim(claims: Mapping[str, Any], name: str) -> str:
    """The claim as text; raises KeyError when it is missing and TypeError when it is something else."""
    value = claims[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


class _PinnedRegistry(JWSRegistry):
    """Knows one algorithm. joserfc warns about the name EdDSA (RFC 9864 renames it), which gateways do not yet read otherwise."""

    def get_alg(self, name: str) -> Any:
        if name != ALGORITHM:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[ALGORITHM]


def _pinned() -> JWSRegistry:
    return _PinnedRegistry(algorithms=[ALGORITHM])
