"""Rate limits shared through Valkey, and what is left of them without it."""

import random
from uuid import uuid4

import pytest
import redis.asyncio
from pydantic import SecretStr

from service_kit.errors import TooManyRequests
from service_kit.rate_limits import AWAY_SECONDS, Allowance, RateLimiter

INSIDE = {"time", "lindex", "lpush", "ltrim", "pexpire", "info"}
"""Commands that are counted though nobody waits for them: the script's own, and the one that asks for the counts."""


@pytest.fixture
async def limiters(valkey_server):
    """As two processes would have them."""
    opened = [RateLimiter(SecretStr(valkey_server.url)) for _ in range(2)]
    yield opened
    for limiter in opened:
        await limiter.close()


@pytest.fixture
async def valkey(valkey_server):
    """A client that sees what the limiters leave there."""
    client = redis.asyncio.from_url(valkey_server.url.replace("valkey://", "redis://"))
    yield client
    await client.aclose()


async def is_taken(limiter, *allowances: Allowance):
    try:
        await limiter.check_all(*allowances)
    except TooManyRequests:
        return False
    return True


async def calls(valkey):
    """How often each command was sent to Valkey, or was part of a script."""
    stats = await valkey.info("commandstats")
    return {name.removeprefix("cmdstat_"): count["calls"] for name, count in stats.items()}


@pytest.mark.promise("CA1")
async def test_two_processes_share_one_limit(limiters):
    (one, other), key = limiters, str(uuid4())
    for limiter in (one, other, one, other):
        await limiter.check("4/minute", key, name="sign_in")
    for limiter in (one, other):
        with pytest.raises(TooManyRequests) as refused:
            await limiter.check("4/minute", key, name="sign_in")
        assert 1 <= int(refused.value.headers["Retry-After"]) <= 61


async def test_two_allowances_cost_one_round_trip_whether_there_is_room_or_not(limiters, valkey):
    (limiter, _), key = limiters, str(uuid4())
    both = Allowance("1/minute", key, "person"), Allowance("9/minute", key, "conversation")
    await limiter.check("9/minute", key, name="warm")
    for has_room in (True, False):
        before = await calls(valkey)
        assert await is_taken(limiter, *both) is has_room
        after = await calls(valkey)
        more = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name)}
        assert {name: count for name, count in more.items() if name not in INSIDE} == {"evalsha": 1}


async def test_what_stands_behind_a_full_allowance_loses_nothing(limiters):
    (limiter, _), key = limiters, str(uuid4())
    person, conversation = Allowance("1/minute", key, "person"), Allowance("2/minute", key, "conversation")
    assert [await is_taken(limiter, person, conversation) for _ in range(3)] == [True, False, False]
    assert [await is_taken(limiter, conversation) for _ in range(2)] == [True, False]


async def test_valkey_and_the_memory_of_a_process_decide_alike(limiters):
    rng, rest, memory = random.Random(7), str(uuid4()), RateLimiter(None)
    everybody = [Allowance(limit, f"{who} {rest}", "mixed") for who, limit in enumerate(("0/hour", "1/hour", "3/hour", "9/hour"))]
    asked = [rng.sample(everybody, rng.randint(1, 2)) for _ in range(60)]
    shared = [await is_taken(rng.choice(limiters), *some) for some in asked]
    assert shared == [await is_taken(memory, *some) for some in asked]
    assert True in shared
    assert False in shared


async def test_a_window_moves_and_its_oldest_says_how_long_to_wait(limiters, valkey):
    (limiter, _), key = limiters, str(uuid4())
    for _ in range(2):
        await limiter.check("2/hour", key, name="moving")
    (stored,) = await valkey.keys("limit:moving:*")
    oldest = int(await valkey.lindex(stored, -1))
    await valkey.lset(stored, -1, oldest - 1_800_000)
    with pytest.raises(TooManyRequests) as refused:
        await limiter.check("2/hour", key, name="moving")
    assert 1_500 <= int(refused.value.headers["Retry-After"]) <= 1_800
    await valkey.lset(stored, -1, oldest - 3_600_000)
    assert [await is_taken(limiter, Allowance("2/hour", key, "moving")) for _ in range(2)] == [True, False]
    assert 0 < await valkey.ttl(stored) <= 3_600


async def test_the_key_itself_never_reaches_valkey(limiters, valkey):
    await limiters[0].check("4/minute", f"robin-{uuid4()}", name="sign_in")
    keys = await valkey.keys("*")
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


async def test_while_valkey_is_away_two_allowances_are_still_taken_in_their_order():
    limiter, key = RateLimiter(SecretStr("valkey://127.0.0.1:1")), str(uuid4())
    person, conversation = Allowance("1/minute", key, "person"), Allowance("2/minute", key, "conversation")
    assert [await is_taken(limiter, person, conversation) for _ in range(3)] == [True, False, False]
    assert [await is_taken(limiter, conversation) for _ in range(2)] == [True, False]
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
