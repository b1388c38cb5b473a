"""Lockout: how many tries are looked at, and when it ends."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from auth.domain.lockout import LockoutPolicy, SignInTries

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
POLICY = LockoutPolicy(limit=3, window=timedelta(minutes=15), rest=timedelta(minutes=10))


def after(*minutes: float) -> tuple[SignInTries, list[bool]]:
    tries, looked_at = SignInTries.none_yet(NOW), []
    for minute in minutes:
        tries, may_look = tries.add(policy=POLICY, now=NOW + timedelta(minutes=minute))
        looked_at.append(may_look)
    return tries, looked_at


def test_the_limit_is_looked_at_and_the_next_is_not():
    tries, looked_at = after(0, 1, 2, 3)

    assert looked_at == [True, True, True, False]
    assert tries.locked_until == NOW + timedelta(minutes=12)


def test_trying_on_does_not_prolong_the_lock():
    tries, looked_at = after(0, 0, 0, 5, 9.99, 10)

    assert looked_at == [True, True, True, False, False, True]
    assert (tries.count, tries.locked_until) == (1, None)


def test_tries_far_apart_never_lock():
    _, looked_at = after(0, 8, 15, 23, 30, 38, 45)

    assert all(looked_at)


@given(st.lists(st.floats(0, 30), max_size=60))
def test_never_are_more_than_the_limit_looked_at_in_a_row_without_a_rest(gaps):
    tries, now, looked_at = SignInTries.none_yet(NOW), NOW, []
    for gap in gaps:
        now += timedelta(minutes=gap)
        tries, may_look = tries.add(policy=POLICY, now=now)
        looked_at += [now] if may_look else []

    # A window may end right before a burst, so twice the limit fits into one window's length at most.
    for first in looked_at:
        assert sum(first <= moment < first + POLICY.rest for moment in looked_at) <= 2 * POLICY.limit
