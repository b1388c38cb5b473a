"""Access tokens: what is accepted, and everything that is refused the same way."""

import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from service_kit.errors import ServiceUnavailable, Unauthorized
from service_kit.jwks import JwksSource, fixed_jwks
from service_kit.testing import AUDIENCE, ISSUER, TokenIssuer
from service_kit.tokens import LEEWAY_SECONDS, Caller, TokenVerifier, sign_token

ISSUED = TokenIssuer()
TENANT, SUBJECT, SESSION = uuid4(), uuid4(), uuid4()


def claims(**changed: object):
    issued_at = int(datetime.now(UTC).timestamp())
    return {
        "iss": ISSUER, "aud": AUDIENCE, "sub": str(SUBJECT), "iat": issued_at, "exp": issued_at + 600,
        "role": "PATIENT", "tenant": str(TENANT), "sid": str(SESSION),
    } | changed  # fmt: skip


def token(**changed: object):
    return ISSUED.token(role="PATIENT", tenant_id=TENANT, subject=SUBJECT, session_id=SESSION, claims=changed)


async def test_a_valid_token_gives_subject_role_tenant_and_session():
    assert await ISSUED.verifier().verify(token()) == Caller(SUBJECT, "PATIENT", TENANT, SESSION)


async def test_an_accepted_token_says_when_it_is_over_the_first_time_and_again():
    verifier, until = ISSUED.verifier(), int(datetime.now(UTC).timestamp()) + 600
    for _ in range(2):
        assert await verifier.accept(token(exp=until)) == (Caller(SUBJECT, "PATIENT", TENANT, SESSION), until)


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "exp", "iat", "role", "tenant", "sid"])
async def test_a_token_without_one_of_its_claims_is_refused(missing):
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(token(**{missing: None}))


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://elsewhere.test"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"nbf": 4102444800},
        {"iat": 4102444800},
        {"sub": "robin"},
        {"sub": 7},
        {"tenant": "nowhere"},
        {"sid": ["x"]},
        {"role": 5},
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(changed):
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(token(**changed))


async def test_a_token_that_has_expired_is_refused_even_when_it_was_accepted_before():
    now = datetime.now(UTC).timestamp()
    verifier = TokenVerifier(JwksSource(fixed_jwks(ISSUED.jwks)), issuer=ISSUER, audience=AUDIENCE, now=lambda: now)
    short = token(exp=int(now) + 60)
    await verifier.verify(short)
    now += 60 + LEEWAY_SECONDS + 1
    with pytest.raises(Unauthorized):
        await verifier.verify(short)


async def test_a_token_by_another_key_of_the_same_id_is_refused():
    forger = TokenIssuer()
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(forger.token(role="ADMINISTRATOR", tenant_id=TENANT))


async def test_a_token_signed_by_the_public_key_as_a_shared_secret_is_refused():
    public = json.dumps(ISSUED.jwks["keys"][0]).encode()
    forged = jwt.encode({"alg": "HS256", "kid": "test-key"}, claims(), OctKey.import_key(public))
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(forged)


async def test_a_token_of_another_algorithm_is_refused():
    key = ECKey.generate_key("P-256", {"kid": "test-key"})
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(jwt.encode({"alg": "ES256", "kid": "test-key"}, claims(), key))


async def test_a_token_without_a_signature_is_refused():
    head, body = ({"alg": "none", "kid": "test-key"}, claims())
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, body)]
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(".".join([*parts, ""]))


async def test_a_key_that_the_token_itself_brings_is_never_used():
    forger = TokenIssuer(kid="own")
    header = {"alg": "EdDSA", "kid": "own", "jwk": forger.jwks["keys"][0]}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims())]
    signature = sign_token(claims(), forger.key).rpartition(".")[2]
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(".".join([*parts, signature]))


async def test_a_changed_payload_is_refused():
    head, _, signature = token().split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims(role="ADMINISTRATOR")).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(f"{head}.{payload}.{signature}")


async def test_a_token_without_end_is_refused_before_it_is_looked_at():
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(token() + "a" * 5000)


@given(text=st.text(max_size=300) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True))
async def test_no_text_whatever_makes_anything_but_a_refusal(text):
    with pytest.raises(Unauthorized):
        await ISSUED.verifier().verify(text)


async def test_without_any_key_nobody_is_refused_or_let_in():
    async def away() -> dict[str, object]:
        raise ConnectionRefusedError

    verifier = TokenVerifier(JwksSource(away), issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(ServiceUnavailable):
        await verifier.verify(token())


async def test_a_remembered_token_is_checked_again_once_the_keys_have_changed():
    document, seconds = dict(ISSUED.jwks), 0.0

    async def fetch() -> dict[str, object]:
        return document

    verifier = TokenVerifier(JwksSource(fetch, monotonic=lambda: seconds), issuer=ISSUER, audience=AUDIENCE)
    accepted = token()
    await verifier.verify(accepted)
    document["keys"] = TokenIssuer(kid="next").jwks["keys"]
    seconds = 301.0
    with pytest.raises(Unauthorized):
        await verifier.verify(TokenIssuer(kid="unknown").token(role="PATIENT", tenant_id=TENANT))
    with pytest.raises(Unauthorized):
        await verifier.verify(accepted)
