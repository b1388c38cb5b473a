"""The inbox on PostgreSQL: the first delivery counts, once, and only if its transaction does."""

import asyncio
from uuid import uuid4

import pytest

from service_kit import inbox


@pytest.mark.promise("PL12")
async def test_only_the_first_delivery_counts_and_each_consumer_has_its_own(pool):
    event_id = uuid4()
    async with pool.acquire() as connection:
        assert await inbox.first_time(connection, "billing", event_id)
        assert not await inbox.first_time(connection, "billing", event_id)
        assert await inbox.first_time(connection, "analytics", event_id)


async def test_a_delivery_whose_transaction_was_rolled_back_has_not_happened(pool):
    event_id = uuid4()
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await inbox.first_time(connection, "billing", event_id)
        await transaction.rollback()
        assert await inbox.first_time(connection, "billing", event_id)


async def test_a_batch_says_which_of_its_events_are_new(pool):
    seen, new = uuid4(), uuid4()
    async with pool.acquire() as connection:
        await inbox.first_time(connection, "billing", seen)
        assert await inbox.first_times(connection, "billing", [new, seen, new]) == {new}
        assert await inbox.first_times(connection, "billing", []) == set()


async def test_what_was_taken_can_be_asked_for_without_taking_anything(pool):
    taken, new = uuid4(), uuid4()
    async with pool.acquire() as connection:
        await inbox.first_time(connection, "billing", taken)
        assert await inbox.seen(connection, "billing", [new, taken]) == {taken}
        assert await inbox.seen(connection, "analytics", [new, taken]) == set()
        assert await inbox.first_time(connection, "billing", new)


async def test_what_is_forgotten_is_new_again_for_its_consumer_alone(pool):
    event_id, other = uuid4(), uuid4()
    async with pool.acquire() as connection:
        for consumer in ("billing", "analytics"):
            await inbox.first_times(connection, consumer, [event_id, other])
        await inbox.forget(connection, "billing", [event_id])
        assert await inbox.first_times(connection, "billing", [event_id, other]) == {event_id}
        assert await inbox.first_times(connection, "analytics", [event_id, other]) == set()


async def test_of_two_deliveries_at_once_one_is_first(pool):
    event_id = uuid4()

    async def deliver() -> bool:
        async with pool.acquire() as connection, connection.transaction():
            return await inbox.first_time(connection, "billing", event_id)

    assert sorted(await asyncio.gather(*(deliver() for _ in range(6)))) == [False] * 5 + [True]
