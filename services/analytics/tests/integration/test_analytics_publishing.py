"""Telling on PostgreSQL: updates while a window is open, one final result, corrections after it, and nothing of small groups."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from analytics.agents import LISTENS_TO
from analytics.domain.metric import PLATFORM
from analytics.use_cases.publishing import Publishing, PublishingTools
from bloom_events.analytics import EVENTS
from bloom_events.auth import Role
from bloom_events.registry import unwrap
from bloom_events.risk import RiskScored
from service_kit.outbox import unpack_headers

Told = Callable[[UUID], Awaitable[list[dict[str, Any]]]]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def of_window(
    events: list[dict[str, Any]], metric: str, span: str, dimensions: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """What was told of the windows of a metric and a group, in order."""
    return [e for e in events if (e["metric"], e["span"], e["dimensions"]) == (metric, span, dimensions or {})]


async def count(engine: Any, log: Any, *events: Any) -> None:
    await engine.counting.take(log.extend(events))


async def tell_after(engine: Any, wait: timedelta, *, read: bool = True) -> None:
    """Let time pass, in which everything was read unless said otherwise, and tell."""
    engine.clock.moment += wait
    if read:
        await engine.read_to_the_end()
    await engine.tell()


@pytest.mark.promise("AN1")
async def test_a_window_is_updated_while_it_is_open_then_final_once(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told
) -> None:
    await count(engine, log, happened.booked(clock()), happened.booked(clock()))
    await tell_after(engine, timedelta(seconds=2))
    await count(engine, log, happened.booked(clock()))
    await tell_after(engine, timedelta(seconds=2))
    for _ in range(3):
        await tell_after(engine, 2 * MINUTE)

    minute = of_window(await told(happened.tenant_id), "appointments.booked", "minute")
    assert [(e["revision"], e["count"], e["is_final"]) for e in minute] == [(1, 2, False), (2, 3, False), (3, 3, True)]
    assert len({e["window_id"] for e in minute}) == 1
    assert {e["type"] for e in minute} == {"appointments.measured.v1"}


async def test_what_changes_often_is_told_once_an_interval(engine: Any, log: Any, happened: Any, clock: Any, told: Told) -> None:
    for _ in range(20):
        await count(engine, log, happened.booked(clock()))
        await tell_after(engine, timedelta(milliseconds=100), read=False)

    hour = of_window(await told(happened.tenant_id), "appointments.booked", "hour")
    assert [e["count"] for e in hour] == [10, 20]


async def test_a_late_event_makes_a_correction_that_is_final_again(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told
) -> None:
    start = clock()
    await count(engine, log, happened.booked(start))
    await tell_after(engine, 5 * MINUTE)
    await count(engine, log, happened.booked(start))
    await tell_after(engine, timedelta(seconds=2))

    minute = of_window(await told(happened.tenant_id), "appointments.booked", "minute")
    assert [(e["revision"], e["count"], e["is_final"]) for e in minute] == [(1, 1, True), (2, 2, True)]


@pytest.mark.parametrize("metric", ["appointments.booked", "people.active", "appointments.lead-time", "revenue.paid"])
async def test_a_window_that_was_put_away_is_corrected_there(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told, metric: str
) -> None:
    start, person = clock(), uuid4()

    def some() -> list[Any]:
        return [
            happened.booked(start, person),
            happened.signed_in(start, person),
            happened.signed_in(start),
            happened.paid(start, 700),
        ]

    first, late, later = some(), some(), some()
    await count(engine, log, *first)
    await tell_after(engine, 8 * 24 * HOUR)
    await tell_after(engine, MINUTE)
    assert await engine.rows("select * from windows", tenant_id=happened.tenant_id) == []
    for events in (late, later):
        await count(engine, log, *events)
        await tell_after(engine, timedelta(seconds=2))

    assert await engine.rows("select * from windows", tenant_id=happened.tenant_id) == []
    assert await engine.windows(happened.tenant_id) == engine.batch([*first, *late, *later], happened.tenant_id)
    span, dimensions = ("day", {"currency": "EUR"}) if metric == "revenue.paid" else ("day", {})
    days = of_window(await told(happened.tenant_id), metric, span, dimensions)
    counts = [2, 3, 4] if metric == "people.active" else [1, 2, 3]
    assert [(e["revision"], e["count"], e["is_final"]) for e in days] == [
        (1, counts[0], True),
        (2, counts[1], True),
        (3, counts[2], True),
    ]


@pytest.mark.promise("AN2")
async def test_a_window_stays_open_while_a_partition_was_not_read(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told
) -> None:
    await count(engine, log, happened.booked(clock()))
    await tell_after(engine, 10 * MINUTE, read=False)
    (minute,) = of_window(await told(happened.tenant_id), "appointments.booked", "minute")
    assert (minute["is_final"], minute["watermark"]) == (False, "1970-01-01T00:00:00Z")

    await tell_after(engine, MINUTE)
    assert of_window(await told(happened.tenant_id), "appointments.booked", "minute")[-1]["is_final"]


async def test_of_small_groups_only_that_they_are_small_is_told(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told
) -> None:
    await count(engine, log, *(happened.like_the_example(RiskScored, clock(), author_role=Role.PATIENT) for _ in range(4)))
    await tell_after(engine, timedelta(seconds=2))
    await count(engine, log, happened.like_the_example(RiskScored, clock(), author_role=Role.PATIENT))
    await tell_after(engine, timedelta(seconds=2))

    hour = of_window(await told(happened.tenant_id), "risk.scored", "hour")
    assert [(e["count"], e["total"], e["percentiles"], e["is_suppressed"]) for e in hour] == [
        (None, None, None, True),
        (5, None, None, False),
    ]


async def test_percentiles_shares_and_sums_are_told(engine: Any, log: Any, happened: Any, clock: Any, told: Told) -> None:
    at = clock()
    visits = [happened.missed(at), *(happened.completed(at) for _ in range(3))]
    await count(
        engine, log, *visits, *(happened.booked(at, lead=number * HOUR) for number in range(101)), happened.opened(at, 9000)
    )
    await tell_after(engine, timedelta(seconds=2))

    events = await told(happened.tenant_id)
    (lead,) = of_window(events, "appointments.lead-time", "hour")
    assert lead["percentiles"]["p50"] == pytest.approx(50 * 3600, rel=0.011)
    assert lead["percentiles"]["p99"] == pytest.approx(99 * 3600, rel=0.011)
    shares = of_window(events, "appointments.no-show-rate", "week-by-day")
    assert [(e["count"], e["total"]) for e in shares] == [(4, 1)] * 7
    (owed,) = of_window(events, "revenue.outstanding", "day", {"currency": "EUR"})
    assert (owed["count"], owed["total"]) == (1, 9000)


@pytest.mark.promise("AN6")
async def test_totals_of_all_tenants_are_told_without_any_therapist(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told
) -> None:
    await count(engine, log, happened.booked(clock()), happened.elsewhere().booked(clock()))
    await tell_after(engine, timedelta(seconds=2))

    events = await told(PLATFORM)
    (minute,) = of_window(events, "appointments.booked", "minute")
    assert minute["count"] == 2
    assert {str(e["dimensions"]) for e in events} == {"{}"}


async def test_two_workers_tell_every_window_once(engine: Any, log: Any, happened: Any, clock: Any, told: Told) -> None:
    await count(engine, log, *(happened.booked(clock() - number * MINUTE) for number in range(300)))
    clock.advance(hours=1)
    await engine.read_to_the_end()
    await asyncio.gather(*(worker.tell() for worker in (engine, engine.another(), engine.another())))

    times = Counter((e["window_id"], e["revision"]) for e in await told(happened.tenant_id))
    assert set(times.values()) == {1}
    assert len({window_id for window_id, _ in times}) == len(await engine.windows(happened.tenant_id))


async def test_a_crash_while_telling_tells_nothing_and_the_next_round_does(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told
) -> None:
    def breaks(name: str) -> None:
        if name == "told":
            raise ConnectionError

    await count(engine, log, happened.booked(clock()))
    clock.advance(seconds=2)
    tools = engine.publishing._tools
    crashing = Publishing(
        PublishingTools(pool=tools.pool, unit_of=tools.unit_of, metrics=tools.metrics, zone_of=tools.zone_of, failpoint=breaks)
    )
    with pytest.raises(ConnectionError):
        await crashing.publish_due(clock())
    assert await told(happened.tenant_id) == []
    await engine.tell()
    assert {e["revision"] for e in await told(happened.tenant_id)} == {1}


async def test_the_id_of_a_window_depends_on_nothing_but_what_it_is(
    engine: Any, log: Any, happened: Any, clock: Any, told: Told, owner: Any
) -> None:
    event = happened.booked(clock())
    await count(engine, log, event)
    await tell_after(engine, timedelta(seconds=2))
    before = {e["window_id"] for e in await told(happened.tenant_id)}
    await owner.execute(
        "truncate partitions, handled_batches, series, windows, window_buckets, window_members, closed_windows, outbox"
    )
    await count(engine.another(), log, event)
    await tell_after(engine, timedelta(seconds=2))

    assert {e["window_id"] for e in await told(happened.tenant_id)} == before


async def test_every_kind_of_result_keeps_the_contract(engine: Any, log: Any, happened: Any, clock: Any, database: Any) -> None:
    await count(engine, log, *(happened.like_the_example(kind, clock()) for kind in LISTENS_TO))
    await tell_after(engine, timedelta(seconds=2))

    relay = await asyncpg.connect(database.relay_url)
    rows = await relay.fetch("select headers, payload from outbox")
    await relay.close()
    found = {
        type(unwrap([(name, value.encode()) for name, value in unpack_headers(row["headers"]).items()], row["payload"]).data)
        for row in rows
    }
    assert found == set(EVENTS)
