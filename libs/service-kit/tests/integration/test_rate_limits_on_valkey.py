"""Rate limits shared through Valkey, and what is left of them without it."""

from uuid import uuid4

import pytest
import redis.asyncio
from pydantic import SecretStr

from service_kit.errors import TooManyRequests
from service_kit.rate_limits import AWAY_SECONDS, RateLimiter


@pytest.fixture
async def limiters(valkey_server):
    """As two processes would have them."""
    opened = [RateLimiter(SecretStr(valkey_server.url)) for _ in range(2)]
    yield opened
    for limiter in opened:
        await limiter.close()


@pytest.mark.promise("CA1")
async def test_two_processes_share_one_limit(limiters):
    (one, other), key = limiters, str(uuid4())
    for limiter in (one, other, one, other):
        await limiter.check("4/minute", key, name="sign_in")
    for limiter in (one, other):
        with pytest.raises(TooManyRequests) as refused:
            await limiter.check("4/minute", key, name="sign_in")
        assert 1 <= int(refused.value.headers["Retry-After"]) <= 61


async def test_the_key_itself_never_reaches_valkey(limiters, valkey_server):
    await limiters[0].check("4/minute", f"robin-{uuid4()}", name="sign_in")
    client = redis.asyncio.from_url(valkey_server.url.replace("valkey://", "redis://"))
    keys = await client.keys("*")
    await client.aclose()
    assert keys
    assert not [stored for stored in keys if b"robin" in stored]


@pytest.mark.promise("PL20")
async def test_while_valkey_is_away_each_process_counts_on_its_own():
    limiter, key = RateLimiter(SecretStr("valkey://127.0.0.1:1")), str(uuid4())
    await limiter.check("2/minute", key, name="sign_in")
    await limiter.check("2/minute", key, name="sign_in")
    with pytest.raises(TooManyRequests):
        await limiter.check("2/minute", key, name="sign_in")
    await limiter.close()


async def test_after_valkey_has_come_back_the_limit_is_shared_again(limiters, valkey_server):
    seconds, key = 0.0, str(uuid4())
    limiter = RateLimiter(SecretStr(valkey_server.url), monotonic=lambda: seconds)
    await limiter.check("1/minute", key, name="sign_in")
    valkey_server.kill()
    await limiter.check("1/minute", key, name="sign_in")
    valkey_server.start()
    valkey_server.wait_ready()
    seconds += AWAY_SECONDS + 1
    fresh = str(uuid4())
    await limiter.check("1/minute", fresh, name="sign_in")
    with pytest.raises(TooManyRequests):
        await limiters[0].check("1/minute", fresh, name="sign_in")
    await limiter.close()
