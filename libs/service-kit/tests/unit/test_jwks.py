"""The issuer's keys: when they are fetched, and what happens while the issuer is away."""

import asyncio

import httpx
import pytest

from service_kit.jwks import FRESH_SECONDS, REFETCH_SECONDS, JwksSource, fetch_over_http
from service_kit.testing import TokenIssuer


class Issuer:
    """A fetch whose document, failures and clock a test turns."""

    def __init__(self) -> None:
        self.document = TokenIssuer(kid="one").jwks
        self.fetches = 0
        self.seconds = 0.0
        self.away = False
        self.source = JwksSource(self.fetch, monotonic=lambda: self.seconds)

    async def fetch(self):
        self.fetches += 1
        if self.away:
            raise httpx.ConnectError("away")
        return self.document


@pytest.fixture
def issuer():
    return Issuer()


async def test_keys_are_fetched_once_and_kept(issuer):
    assert await issuer.source.find("one") is not None
    assert await issuer.source.find("one") is not None
    assert issuer.fetches == 1


async def test_requests_that_come_during_the_first_fetch_wait_for_it():
    arrived, fetches = asyncio.Event(), []

    async def slow_fetch():
        fetches.append(1)
        await arrived.wait()
        return TokenIssuer(kid="one").jwks

    source = JwksSource(slow_fetch)
    asking = [asyncio.ensure_future(source.find("one")) for _ in range(5)]
    await asyncio.sleep(0)
    arrived.set()
    assert all(key is not None for key in await asyncio.gather(*asking))
    assert len(fetches) == 1


async def test_a_new_key_is_found_by_one_more_fetch(issuer):
    await issuer.source.find("one")
    issuer.document = {"keys": [*issuer.document["keys"], *TokenIssuer(kid="two").jwks["keys"]]}
    issuer.seconds += REFETCH_SECONDS + 1
    assert await issuer.source.find("two") is not None
    assert issuer.fetches == 2


async def test_unknown_key_ids_cannot_make_it_fetch_at_will(issuer):
    await issuer.source.find("one")
    for number in range(100):
        issuer.seconds += 0.1
        assert await issuer.source.find(f"unknown-{number}") is None
    assert issuer.fetches <= 2


async def test_known_keys_stay_in_use_while_the_issuer_is_away(issuer):
    await issuer.source.find("one")
    issuer.away = True
    issuer.seconds += FRESH_SECONDS + 1
    assert await issuer.source.find("one") is not None
    assert issuer.fetches == 2


async def test_an_issuer_that_is_away_is_not_asked_for_every_request(issuer):
    await issuer.source.find("one")
    issuer.away = True
    issuer.seconds += FRESH_SECONDS + 1
    for _ in range(50):
        await issuer.source.find("one")
    assert issuer.fetches == 2


async def test_a_key_that_was_withdrawn_is_forgotten_at_the_next_fetch(issuer):
    await issuer.source.find("one")
    issuer.document = TokenIssuer(kid="two").jwks
    issuer.seconds += FRESH_SECONDS + 1
    assert await issuer.source.find("one") is None


@pytest.mark.parametrize(
    "document", [{}, {"keys": None}, {"keys": [None]}, [], {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one"}]}]
)
async def test_a_document_that_is_no_jwks_changes_nothing(issuer, document):
    await issuer.source.find("one")
    issuer.document = document
    issuer.seconds += FRESH_SECONDS + 1
    assert await issuer.source.find("one") is not None


async def test_keys_of_other_kinds_and_uses_are_left_aside(issuer):
    key = issuer.document["keys"][0]
    issuer.document = {"keys": [{**key, "kid": "enc", "use": "enc"}, {"kty": "oct", "k": "AAAA", "kid": "secret"}, key]}
    assert await issuer.source.find("enc") is None
    assert await issuer.source.find("secret") is None
    assert await issuer.source.find("one") is not None


async def test_keys_come_over_http_and_an_error_status_is_a_failure():
    answers = iter([httpx.Response(200, json=TokenIssuer(kid="one").jwks), httpx.Response(500)])
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: next(answers))) as client:
        fetch = fetch_over_http("http://issuer/jwks", client)
        assert [key["kid"] for key in (await fetch())["keys"]] == ["one"]
        with pytest.raises(httpx.HTTPStatusError):
            await fetch()
