"""Counting on PostgreSQL: whatever comes twice, late, from the future, to a zombie or to two workers, each event counts once."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from analytics.domain.metric import PLATFORM
from analytics.domain.partitions import Place
from analytics.use_cases import counting as use_case
from bloom_events.auth import Role
from bloom_events.topics import APPOINTMENTS
from service_kit import inbox
from service_kit.database import Pool

MINUTES = timedelta(minutes=1)


def a_busy_hour(happened: Any, clock: Any, *, seed: int = 1, count: int = 200) -> list[Any]:
    """Bookings, visits, invoices and sign-ins of a few people within an hour, in no order."""
    rng = random.Random(seed)
    people = [UUID(int=number) for number in range(5)]
    return [_anything(happened, rng, clock() - rng.uniform(0, 60) * MINUTES, rng.choice(people)) for _ in range(count)]


def _anything(happened: Any, rng: random.Random, at: datetime, who: UUID) -> Any:
    match rng.choice(["booked", "completed", "missed", "opened", "paid", "signed_in"]):
        case "booked":
            return happened.booked(at, who, lead=rng.uniform(0, 900) * MINUTES)
        case "opened" | "paid" as what:
            return getattr(happened, what)(at, rng.randrange(10_000), rng.choice(["EUR", "CHF"]))
        case what:
            return getattr(happened, what)(at, who)


async def offset_of(engine: Any, topic: str = APPOINTMENTS.name, partition: int = 0) -> Any:
    return await engine.pool.fetchval("select next_offset from partitions where (topic, partition) = ($1, $2)", topic, partition)


async def test_windows_are_what_one_batch_over_all_events_gives(engine: Any, log: Any, happened: Any, clock: Any) -> None:
    other = happened.elsewhere()
    events = a_busy_hour(happened, clock) + a_busy_hour(other, clock, seed=2)
    taken = log.extend(events)
    for start in range(0, len(taken), 37):
        await engine.counting.take(taken[start : start + 37])

    for tenant_id in (happened.tenant_id, other.tenant_id, PLATFORM):
        assert await engine.windows(tenant_id) == engine.batch(events, tenant_id)


async def test_an_event_that_a_relay_sends_again_counts_once(engine: Any, log: Any, happened: Any, clock: Any) -> None:
    events = a_busy_hour(happened, clock)
    again = events[-60:]
    await engine.counting.take(log.extend(events))
    await engine.counting.take(log.extend(again[:30]))
    await engine.another().counting.take(log.extend([*again[30:], *again[30:]]))

    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)


async def test_records_that_come_again_after_a_restart_count_once(engine: Any, log: Any, happened: Any, clock: Any) -> None:
    events = a_busy_hour(happened, clock)
    taken = log.extend(events)
    await engine.counting.take(taken[:120])
    await engine.counting.take(taken[100:150])
    await engine.another().counting.take(taken)

    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)


@pytest.mark.parametrize("failpoint", ["locked", "counted", "before-commit"])
async def test_a_crash_between_statements_leaves_nothing_and_the_next_try_counts(
    engine: Any, log: Any, happened: Any, clock: Any, failpoint: str
) -> None:
    events = a_busy_hour(happened, clock)
    taken = log.extend(events)
    await engine.counting.take(taken[:50])
    before = await engine.windows(happened.tenant_id)
    is_broken = True

    def breaks(name: str) -> None:
        if is_broken and name == failpoint:
            raise ConnectionError

    tools = use_case.CountingTools(pool=engine._pool, library=engine.library, clock=clock, failpoint=breaks)
    crashing = use_case.Counting(tools)
    with pytest.raises(ConnectionError):
        await crashing.take(taken[50:])
    assert await engine.windows(happened.tenant_id) == before
    is_broken = False
    await crashing.take(taken[50:])
    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)


async def test_a_zombie_adds_nothing(engine: Any, log: Any, happened: Any, clock: Any) -> None:
    taken = log.extend(a_busy_hour(happened, clock), partition=0)
    zombie = engine.another()
    await zombie.counting.take(taken[:50])
    await engine.counting.take(taken[50:])
    # It still believes in its partitions and hands over what had been fetched for it.
    await zombie.counting.take(taken[50:150])
    await asyncio.gather(zombie.counting.take(taken[150:]), engine.counting.take(taken[150:]))

    events = [each.event for each in taken]
    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)


async def test_two_workers_count_partitions_of_the_same_tenants_beside_each_other(
    engine: Any, log: Any, happened: Any, clock: Any
) -> None:
    other, second = happened.elsewhere(), engine.another()
    events = a_busy_hour(happened, clock, count=600) + a_busy_hour(other, clock, seed=2, count=600)
    random.Random(3).shuffle(events)
    taken = log.extend(events)
    mine = [each for each in taken if each.record.partition % 2]
    yours = [each for each in taken if not each.record.partition % 2]

    async def run(worker: Any, some: list[Any]) -> None:
        for start in range(0, len(some), 50):
            await worker.counting.take(some[start : start + 50])

    await asyncio.gather(run(engine, mine), run(second, yours))
    for tenant_id in (happened.tenant_id, other.tenant_id, PLATFORM):
        assert await engine.windows(tenant_id) == engine.batch(events, tenant_id)


async def test_ids_are_remembered_by_the_next_process_and_old_ones_are_forgotten(
    engine: Any, log: Any, happened: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    therapist = uuid4()
    first = log.append(happened.booked(clock(), therapist), partition=0)
    await engine.counting.take([first])
    for _ in range(30):
        await engine.counting.take(log.extend([happened.booked(clock(), therapist) for _ in range(200)], partition=0))
    rows = await engine.pool.fetch("select length(event_ids) as size from handled_batches")

    assert sum(row["size"] for row in rows) == 16 * 6001
    assert len(rows) <= 11
    await engine.another().counting.take([log.again(first)])
    events = [each.event for each in log.records[Place(APPOINTMENTS.name, 0)]]
    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)


async def test_events_from_the_future_count_and_move_no_watermark(engine: Any, log: Any, happened: Any, clock: Any) -> None:
    events = [happened.booked(clock() - MINUTES), happened.booked(clock() + timedelta(days=400))]
    await engine.counting.take(log.extend(events, partition=0))

    row = await engine.pool.fetchrow("select * from partitions")
    assert (row["next_offset"], row["watermark"], row["active_at"]) == (2, clock() - MINUTES, clock())
    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)


async def test_a_late_event_takes_no_watermark_back(engine: Any, log: Any, happened: Any, clock: Any) -> None:
    await engine.counting.take([log.append(happened.booked(clock()), partition=0)])
    await engine.counting.take([log.append(happened.booked(clock() - 90 * MINUTES), partition=0)])

    assert await engine.pool.fetchval("select watermark from partitions") == clock()
    assert await offset_of(engine) == 2


async def test_a_parked_record_counts_when_it_is_redriven_however_often(engine: Any, log: Any, happened: Any, clock: Any) -> None:
    events = [happened.booked(clock()) for _ in range(3)]
    first, parked, last = log.extend(events, partition=0)
    await engine.counting.take([first, last])
    assert await offset_of(engine) == 3

    for _ in range(3):
        await engine.another().counting.take_again(parked)
    await engine.counting.take_again(first)
    assert await engine.windows(happened.tenant_id) == engine.batch(events, happened.tenant_id)
    assert await offset_of(engine) == 3


@pytest.mark.parametrize("order", [1, -1])
async def test_people_and_sessions_are_known_whatever_came_first(
    engine: Any, log: Any, happened: Any, clock: Any, order: int
) -> None:
    user, session = uuid4(), uuid4()
    events = [
        happened.registered(clock() - 2 * MINUTES, user, Role.THERAPIST),
        happened.registered(clock(), user, Role.PATIENT),
        happened.signed_in(clock(), user, session_id=session),
        happened.signed_out(clock() + MINUTES, session),
        happened.signed_out(clock() + 2 * MINUTES, session),
    ]
    for event in events[::order]:
        await engine.counting.take([log.append(event)])

    (person,) = await engine.rows("select * from people", tenant_id=happened.tenant_id)
    (known,) = await engine.rows("select * from sessions", tenant_id=happened.tenant_id)
    assert (person["role"], person["registered_at"]) == ("THERAPIST", clock() - 2 * MINUTES)
    assert (known["expires_at"], known["revoked_at"]) == (clock() + timedelta(hours=8), clock() + MINUTES)


async def test_the_planted_bug_counts_what_comes_twice(
    engine: Any, log: Any, happened: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox._switch, "is_off", True)
    taken = log.extend([happened.booked(clock())])
    await engine.counting.take(taken)
    await engine.counting.take(taken)

    windows = await engine.windows(happened.tenant_id)
    assert {contents.n for key, contents in windows.items() if key.metric == "appointments.booked"} == {2}


async def test_a_tenant_sees_nothing_of_another(
    engine: Any, log: Any, tenant_of: Callable[[int], Any], pool: Pool, clock: Any
) -> None:
    await engine.counting.take(log.extend([tenant_of(1).booked(clock()), tenant_of(2).signed_in(clock())]))

    one = {key.metric for key in await engine.windows(tenant_of(1).tenant_id)}
    assert "people.active" not in one
    assert "appointments.booked" in one
    assert await pool.fetch("select * from windows") == []
