"""Accounts are kept as auth tells of them; whatever order its events come in, they come to the same."""

from itertools import permutations
from typing import Any

import pytest

from bloom_events.auth import Role, TherapistVerified, UserRegistered, UserReinstated, UserSuspended
from bloom_events.ids import UserId, new_id


def life(ward: Any) -> list[Any]:
    """A therapist registers, is verified, suspended, reinstated, and suspended again."""
    user_id = UserId(new_id())
    events = [
        UserRegistered(user_id=user_id, role=Role.THERAPIST, status="pending_verification"),
        TherapistVerified(user_id=user_id, display_name="Dr. Robin Vale"),
        UserSuspended(user_id=user_id, role=Role.THERAPIST),
        UserReinstated(user_id=user_id, role=Role.THERAPIST),
        UserSuspended(user_id=user_id, role=Role.THERAPIST),
    ]
    told = []
    for event in events:
        ward.clock.advance(seconds=1)
        told.append(ward.told(event))
    return told


async def standing(ward: Any, user_id: Any) -> tuple[str, bool, bool]:
    (row,) = await ward.rows("select role, is_verified, is_suspended from people where user_id = $1", user_id)
    return row["role"], row["is_verified"], row["is_suspended"]


async def test_in_any_order_the_events_of_an_account_come_to_the_same(ward: Any) -> None:
    for order in permutations(range(5)):
        events = life(ward)
        await ward.hear(*(events[place] for place in order))

        assert await standing(ward, events[0].data.user_id) == ("THERAPIST", True, True)


@pytest.mark.parametrize(("heard", "expected"), [(1, (False, False)), (2, (True, False)), (3, (True, True)), (4, (True, False))])
async def test_each_event_says_what_it_says(ward: Any, heard: int, expected: tuple[bool, bool]) -> None:
    events = life(ward)

    await ward.hear(*events[:heard], *events[:heard])

    assert (await standing(ward, events[0].data.user_id))[1:] == expected
