"""Rate limits in one process, without Valkey."""

import pytest

from service_kit.errors import TooManyRequests
from service_kit.rate_limits import RateLimiter


async def test_a_caller_over_the_limit_is_told_when_to_come_back():
    limiter = RateLimiter(None)
    for _ in range(5):
        await limiter.check("5/minute", "robin", name="sign_in")
    with pytest.raises(TooManyRequests) as refused:
        await limiter.check("5/minute", "robin", name="sign_in")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 61


async def test_callers_and_limits_are_counted_apart():
    limiter = RateLimiter(None)
    await limiter.check("1/minute", "robin", name="sign_in")
    await limiter.check("1/minute", "kim", name="sign_in")
    await limiter.check("1/minute", "robin", name="register")
    with pytest.raises(TooManyRequests):
        await limiter.check("1/minute", "kim", name="sign_in")
