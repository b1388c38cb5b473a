"""Access tokens: what is refused, how keys are published, and rotation while tokens live."""

import base64
import hmac
import json
from hashlib import sha256
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag
from joserfc.jwk import OKPKey

from auth.clients.access_tokens import make_signing_key
from auth.clients.master_key import MasterKey, read_master_key
from auth.use_cases.signing_keys import keep_signing_keys, renew_signing_keys
from service_kit.jwks import JwksSource, fixed_jwks
from service_kit.tokens import TokenVerifier, sign_token


def encode(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def master_key_of(service) -> MasterKey:
    return MasterKey(read_master_key(service.settings.master_key.get_secret_value()))


def own_key(service) -> OKPKey:
    [opened] = service.tools.issuer._opened.values()
    return opened


async def status_with(service, token: str) -> int:
    return (await service.device().get("/api/users/me", headers={"Authorization": f"Bearer {token}"})).status_code


async def look_after_keys(service, *, is_asked: bool = False) -> None:
    policy, now = service.settings.signing_keys, service.clock()
    if is_asked:
        await keep_signing_keys(service.pool, master_key_of(service), policy=policy, now=now, is_asked=True)
    await renew_signing_keys(service.pool, service.tools.issuer, master_key_of(service), policy=policy, now=now)


async def published(service) -> list[str]:
    return [key["kid"] for key in (await service.device().get("/.well-known/jwks.json")).json()["keys"]]


@pytest.fixture(autouse=True)
async def own_keys_only(service):
    """Each test begins with keys of its own clock: the table is the whole platform's."""
    async with service.pool.acquire() as connection:
        await connection.execute("delete from signing_keys")
    await look_after_keys(service)


@pytest.mark.promise("AU14")
async def test_other_services_can_check_a_token_with_the_published_keys(service):
    device = await service.patient()
    response = await service.device().get("/api/auth/jwks.json")

    verifier = TokenVerifier(
        JwksSource(fixed_jwks(response.json())),
        issuer=service.settings.token_issuer,
        audience="bloom",
        now=lambda: service.clock().timestamp(),
    )
    caller = await verifier.verify(device.bearer)

    assert (str(caller.subject), caller.role, caller.tenant_id) == (device.user["id"], "PATIENT", service.tenant_id)
    assert response.headers["cache-control"] == "public, max-age=60"
    assert response.json() == (await service.device().get("/.well-known/jwks.json")).json()


async def test_only_public_parts_are_published_and_private_ones_are_stored_sealed(service):
    [key] = (await service.device().get("/api/auth/jwks.json")).json()["keys"]
    async with service.pool.acquire() as connection:
        [row] = await connection.fetch("select * from signing_keys")

    private = base64.urlsafe_b64decode(own_key(service).as_dict(private=True)["d"] + "=")
    assert key.keys() == {"kty", "crv", "use", "alg", "kid", "x"}
    assert private not in row["sealed_private_key"]
    assert master_key_of(service).open(row["sealed_private_key"], name=row["kid"]) == private


@pytest.mark.promise("AU13")
@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "None"}, {"alg": "NONE", "kid": "x"}, {}])
async def test_an_unsigned_token_is_refused(service, header):
    device = await service.patient()
    _, payload, signature = device.bearer.split(".")
    header = {"kid": decode(device.bearer.split(".")[0])["kid"]} | header

    assert await status_with(service, f"{encode(header)}.{payload}.") == 401
    assert await status_with(service, f"{encode(header)}.{payload}.{signature}") == 401


async def test_a_token_signed_by_hmac_with_the_public_key_is_refused(service):
    device = await service.patient()
    [key] = (await service.device().get("/api/auth/jwks.json")).json()["keys"]
    public = base64.urlsafe_b64decode(key["x"] + "=")
    for secret in (public, key["x"].encode(), json.dumps(key).encode()):
        signed = f"{encode({'alg': 'HS256', 'kid': key['kid']})}.{device.bearer.split('.')[1]}"
        forged = f"{signed}.{encode(hmac.new(secret, signed.encode(), sha256).digest())}"
        assert await status_with(service, forged) == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.test"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"exp": None}, {"exp": 0}, {"iat": None},
        {"sub": "not-an-id"}, {"sub": None}, {"tenant": None}, {"sid": None}, {"role": None}, {"role": 7}, {"exp": "never"},
    ],
    ids=repr,
)  # fmt: skip
async def test_a_token_with_a_wrong_or_missing_claim_is_refused(service, changed):
    device = await service.patient()
    claims = decode(device.bearer.split(".")[1])
    good = sign_token(claims, own_key(service))
    bad = sign_token({name: value for name, value in (claims | changed).items() if value is not None}, own_key(service))

    assert (await status_with(service, good), await status_with(service, bad)) == (200, 401)


async def test_a_token_of_another_key_under_our_keys_name_or_an_unknown_one_is_refused(service):
    device = await service.patient()
    claims = decode(device.bearer.split(".")[1])
    for kid in (own_key(service).kid, "unknown", "../../etc/passwd", "' or 1=1 --"):
        stranger = OKPKey.generate_key("Ed25519", {"kid": kid})
        assert await status_with(service, sign_token(claims, stranger)) == 401


async def test_a_changed_payload_or_a_strange_text_is_refused(service):
    device = await service.patient()
    header, payload, signature = device.bearer.split(".")
    claims = decode(payload) | {"role": "ADMINISTRATOR"}

    texts = [f"{header}.{encode(claims)}.{signature}", f"{header}.{payload}", "", ".", "..", "x", "a" * 9000, f"{device.bearer}."]
    assert [await status_with(service, text) for text in texts] == [401] * len(texts)


async def test_a_token_expires_after_ten_minutes(service):
    device = await service.patient()
    service.clock.advance(minutes=9, seconds=59)
    assert (await device.get("/api/users/me")).status_code == 200
    service.clock.advance(seconds=10)

    expired = await device.get("/api/users/me")

    assert expired.status_code == 401
    assert expired.headers["www-authenticate"] == "Bearer"
    assert expired.json().get("detail") is None


async def test_a_true_token_of_a_session_that_never_was_is_refused(service):
    device = await service.patient()
    claims = decode(device.bearer.split(".")[1]) | {"sid": str(uuid4())}

    assert await status_with(service, sign_token(claims, own_key(service))) == 401


@pytest.mark.promise("AU14")
async def test_keys_rotate_while_tokens_live(service):
    [old] = await published(service)
    early = await service.patient()
    await look_after_keys(service, is_asked=True)
    [_, new] = await published(service)
    before = await service.patient()
    assert decode(before.bearer.split(".")[0])["kid"] == old

    service.clock.advance(minutes=20)
    await look_after_keys(service)
    after = await service.patient()
    assert decode(after.bearer.split(".")[0])["kid"] == new
    assert await published(service) == [old, new]
    service.clock.advance(minutes=11)
    await look_after_keys(service)

    assert await published(service) == [new]
    assert (await early.refresh()).status_code == 200
    assert (await early.get("/api/users/me")).status_code == 200


async def test_a_token_made_just_before_the_next_key_signs_is_good_to_its_end(service):
    await look_after_keys(service, is_asked=True)
    service.clock.advance(minutes=19, seconds=59)
    device = await service.patient()
    service.clock.advance(minutes=9, seconds=59)
    await look_after_keys(service)

    assert (await device.get("/api/users/me")).status_code == 200


async def test_keys_rotate_by_themselves_before_their_time_is_over(service):
    [old] = await published(service)
    service.clock.advance(days=29, hours=23, minutes=41)
    await look_after_keys(service)
    [_, new] = await published(service)
    service.clock.advance(minutes=31)
    await look_after_keys(service)

    assert old != new
    assert await published(service) == [new]


async def test_a_rotation_asked_for_twice_makes_one_key(service):
    await look_after_keys(service, is_asked=True)
    await look_after_keys(service, is_asked=True)

    assert len(await published(service)) == 2


async def test_a_stored_key_cannot_be_used_under_another_name(service):
    master_key = master_key_of(service)
    one, two = (make_signing_key(master_key, activates_at=service.clock()) for _ in range(2))

    with pytest.raises(InvalidTag):
        master_key.open(one.sealed_private_key, name=two.kid)
