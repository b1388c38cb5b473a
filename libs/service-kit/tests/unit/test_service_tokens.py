"""Tokens by which services call each other: what is accepted, and everything that is refused the same way."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from pydantic import SecretStr

from service_kit.errors import Unauthorized
from service_kit.service_tokens import (
    LIFETIME_SECONDS,
    ServiceTokenSigner,
    ServiceTokenVerifier,
    new_service_key,
    public_service_key,
)
from service_kit.signing import LEEWAY_SECONDS, sign_token

NOON = 1_900_000_000.0
KEY = new_service_key()


class Time:
    def __init__(self) -> None:
        self.seconds = NOON

    def __call__(self) -> float:
        return self.seconds


def verifier(now=lambda: NOON, service: str = "notes") -> ServiceTokenVerifier:
    return ServiceTokenVerifier(service, {"pets": public_service_key(KEY)}, now=now)


def signer(name: str = "pets", key: str = KEY) -> ServiceTokenSigner:
    return ServiceTokenSigner(name, SecretStr(key), now=lambda: NOON)


def forged(**changed: object) -> str:
    claims = {"iss": "pets", "sub": "pets", "aud": "notes", "iat": int(NOON), "exp": int(NOON) + 60} | changed
    return sign_token({name: value for name, value in claims.items() if value is not None}, OKPKey.import_key(json.loads(KEY)))


def test_a_token_names_the_service_that_signed_it():
    assert verifier().verify(signer().token("notes")) == "pets"


def test_a_token_is_good_for_a_minute_and_the_difference_of_clocks():
    time, token = Time(), signer().token("notes")
    time.seconds += LIFETIME_SECONDS + LEEWAY_SECONDS - 1
    assert verifier(time).verify(token) == "pets"
    time.seconds += 2
    with pytest.raises(Unauthorized):
        verifier(time).verify(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "x" * 5_000,
        "\u2603",
        signer().token("billing"),
        signer(key=new_service_key()).token("notes"),
        signer(name="nobody").token("notes"),
        forged(exp=int(NOON) + 3_600),
        forged(sub="billing"),
        forged(iss=7),
        forged(exp=None),
        forged(iat=None),
        forged(aud=None),
    ],
    ids=lambda token: token[-12:],
)
def test_every_other_token_is_refused(token):
    with pytest.raises(Unauthorized):
        verifier().verify(token)


@given(st.binary(max_size=60), st.integers(0, 200))
def test_a_token_with_a_changed_part_is_refused(noise, place):
    token = signer().token("notes")
    changed = token[:place] + base64.urlsafe_b64encode(noise).decode() + token[place + 1 :]
    if changed != token:
        with pytest.raises(Unauthorized):
            verifier().verify(changed)


def test_only_the_holder_of_a_private_key_signs():
    with pytest.raises(ValueError, match="private"):
        ServiceTokenSigner("pets", SecretStr(json.dumps(public_service_key(KEY))))


def test_the_public_half_holds_no_secret():
    assert "d" in json.loads(KEY)
    assert "d" not in public_service_key(KEY)


def test_headers_name_the_tenant():
    headers = signer().headers("notes", "01a1f000-0001-7000-8000-000000000001")
    assert headers["X-Tenant-Id"] == "01a1f000-0001-7000-8000-000000000001"
    assert verifier().verify(headers["Authorization"].removeprefix("Bearer ")) == "pets"
