"""A series is rebuilt from the log, compared with the live one and put in its place, while the worker goes on."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from services.analytics.tests.integration.replay.conftest import Rebuilding

from analytics.domain.metric import PLATFORM
from analytics.domain.metrics import METRICS
from analytics.use_cases.replay import ReplayRefused
from bloom_events.messaging import MessageSent
from bloom_events.risk import RiskScored
from service_kit.database import Connection, Pool
from service_kit.replaying import Stride
from service_kit.testing import assert_tenant_isolated

MINUTES, DAYS = timedelta(minutes=1), timedelta(days=1)
BOOKED = "appointments.booked"


def much(happened: Any, now: datetime, *, count: int = 300, days: int = 3, seed: int = 1) -> list[Any]:
    """Events of every kind within some days, of a few people, in no order."""
    rng = random.Random(seed)
    people = [UUID(int=number) for number in range(6)]
    return [anything(happened, rng, now - rng.uniform(0, days) * DAYS, rng.choice(people)) for _ in range(count)]


def anything(happened: Any, rng: random.Random, at: datetime, who: UUID) -> Any:
    match rng.choice(["booked", "completed", "missed", "opened", "paid", "signed_in", "registered", "message", "score"]):
        case "booked":
            return happened.booked(at, who, lead=rng.uniform(0, 900) * MINUTES)
        case "opened" | "paid" as what:
            return getattr(happened, what)(at, rng.randrange(10_000), rng.choice(["EUR", "CHF"]))
        case "message":
            return happened.like_the_example(MessageSent, at, author_id=who)
        case "score":
            return happened.like_the_example(RiskScored, at)
        case what:
            return getattr(happened, what)(at, who)


async def count(engine: Any, taken: Any, *, at_a_time: int = 40) -> None:
    for start in range(0, len(taken), at_a_time):
        await engine.counting.take(taken[start : start + at_a_time])


async def put_away(engine: Any, clock: Any) -> None:
    """Have everything told, and what is long over put out of the way."""
    await engine.read_to_the_end()
    await engine.tell()
    clock.advance(hours=3)
    await engine.read_to_the_end()
    for _ in range(3):
        await engine.tell()


@pytest.mark.parametrize("name", sorted([*METRICS, "people", "sessions"]))
async def test_what_the_worker_has_counted_is_what_the_log_gives(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any, name: str
) -> None:
    kinds = METRICS[name].reads if name in METRICS else ()
    events = much(happened, clock()) + [
        happened.like_the_example(kind, clock() - 5 * MINUTES) for kind in kinds for _ in range(9)
    ]
    await count(engine, log.extend([*events, *events[::9]]))
    await put_away(engine, clock)
    late = much(happened, clock(), count=60, seed=2)
    await count(engine, log.extend(late))

    found = await rebuilding(name)

    assert found.differences == []
    assert found.records > 0
    assert not found.swapped


async def test_each_kind_of_damage_is_found_and_nothing_else(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any, owner: Pool
) -> None:
    events = much(happened, clock())
    await count(engine, log.extend(events))
    await put_away(engine, clock)
    where, key = await damage(owner, BOOKED, "n = n + 1")

    (found,) = (await rebuilding(BOOKED)).differences

    assert found.where == f"{where} {key['dimensions']} {key['span']} {key['starts_at'].isoformat()}"
    assert found.live == f"{key['n'] + 1}, {key['total']}"
    assert found.rebuilt == f"{key['n']}, {key['total']}"


async def damage(owner: Pool, metric: str, change: str) -> tuple[UUID, dict[str, Any]]:
    """Break one window that was put away, as a bug would; returns whose and what it was."""
    async with owner.acquire() as connection:
        for table in ("closed_windows", "series"):
            await connection.execute(f"alter table {table} no force row level security")
        row = await connection.fetchrow(
            "select c.*, s.dimensions from closed_windows c join series s on s.tenant_id = c.tenant_id and s.id = c.series_id"
            " where s.metric = $1 and c.n > 0 order by c.tenant_id, c.series_id, c.span, c.starts_at limit 1",
            metric,
        )
        assert row is not None
        await connection.execute(
            f"update closed_windows set {change} where (tenant_id, series_id, span, starts_at) = ($1, $2, $3, $4)",
            *(row[name] for name in ("tenant_id", "series_id", "span", "starts_at")),
        )
        for table in ("closed_windows", "series"):
            await connection.execute(f"alter table {table} force row level security")
    return row["tenant_id"], dict(row)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (BOOKED, "n = n + 5"),
        ("revenue.invoiced", "total = total - 1"),
        ("appointments.lead-time", "buckets = '{\"7\": 3}'"),
        ("people.active", "members = decode(repeat('ab', 16), 'hex'), n = 1"),
    ],
)
async def test_a_swap_mends_a_window_and_the_worker_tells_of_it_once_more(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any, owner: Pool, told: Any, name: str, change: str
) -> None:
    events = much(happened, clock())
    await count(engine, log.extend(events))
    await put_away(engine, clock)
    tenant_id, key = await damage(owner, name, change)
    before = await told(tenant_id)

    found = await rebuilding(name, swap=True)

    assert found.swapped
    assert len(found.differences) == 1
    assert (await rebuilding(name)).differences == []
    assert await engine.windows(tenant_id) == engine.batch(events, tenant_id)
    await engine.tell()
    (again,) = (await told(tenant_id))[len(before) :]
    assert (again["metric"], again["span"], again["is_final"]) == (name, key["span"], True)
    assert again["revision"] == key["revision"] + 1
    clock.advance(hours=3)
    await put_away(engine, clock)
    assert await engine.windows(tenant_id) == engine.batch(events, tenant_id)


async def test_what_the_log_does_not_give_becomes_nothing_and_what_is_missing_comes(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any
) -> None:
    events = [happened.booked(clock() - place * MINUTES) for place in range(30)]
    taken = log.extend(events)
    never_there = happened.elsewhere()
    await count(engine, taken)
    async with engine.pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('app.tenant_id', $1, true)", str(happened.tenant_id))
        await connection.execute("delete from windows where span = 'hour'")
        await connection.execute("select set_config('app.tenant_id', $1, true)", str(never_there.tenant_id))
        await connection.execute("insert into series (metric, dimensions) values ($1, '{}')", BOOKED)
        await connection.execute(
            "insert into windows (series_id, span, starts_at, ends_at, n, total)"
            " select id, 'hour', $1::timestamptz, $1::timestamptz + interval '1 hour', 3, 0 from series",
            clock(),
        )

    assert (await rebuilding(BOOKED, swap=True)).swapped

    hours = {key: found for key, found in engine.batch(events, happened.tenant_id).items() if key.metric == BOOKED}
    assert {key: found for key, found in (await engine.windows(happened.tenant_id)).items() if key.metric == BOOKED} == hours
    assert [found.n for found in (await engine.windows(never_there.tenant_id)).values()] == [0]


async def test_only_windows_from_the_given_day_on_are_rebuilt_and_the_log_is_read_from_there(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any
) -> None:
    first, second = clock() - 10 * DAYS, clock() - DAYS
    await count(engine, log.extend([happened.booked(first + place * MINUTES) for place in range(60)]))
    await count(engine, log.extend([happened.booked(second + place * MINUTES) for place in range(60)]))
    async with engine.pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('app.tenant_id', $1, true)", str(happened.tenant_id))
        await connection.execute("update windows set n = n + 1 where span = 'day' and starts_at < $1", second - DAYS)

    assert (await rebuilding(BOOKED, since=second - DAYS)).differences == []
    assert all(offset > 0 for _, _, offset in rebuilding.log.read_from)
    assert len((await rebuilding(BOOKED)).differences) > 0


async def test_the_worker_counts_on_while_a_series_is_rebuilt(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any
) -> None:
    await count(engine, log.extend(much(happened, clock(), count=600)))
    stop, fetches = asyncio.Event(), 0

    async def work() -> None:
        nonlocal fetches
        while not stop.is_set():
            await engine.counting.take(log.extend(much(happened, clock(), count=15, seed=100 + fetches)))
            fetches += 1

    running = asyncio.create_task(work())
    for _ in range(3):
        before = fetches
        assert (await rebuilding(BOOKED)).differences == []
        assert fetches > before
    stop.set()
    await running


async def test_nothing_is_lost_when_series_are_swapped_under_a_worker_that_counts(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any
) -> None:
    events = much(happened, clock(), count=200)
    await count(engine, log.extend(events))
    stop = asyncio.Event()

    async def work() -> None:
        seed = 100
        while not stop.is_set():
            new = much(happened, clock(), count=20, seed=seed)
            events.extend(new)
            await engine.counting.take(log.extend(new))
            await engine.tell()
            seed += 1

    running = asyncio.create_task(work())
    for _ in range(4):
        async with engine.pool.acquire() as connection, connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", str(happened.tenant_id))
            await connection.execute("update windows set n = n + 7 where span = 'day'")
        for name in ("appointments.booked", "people.active", "appointments.lead-time"):
            await rebuilding(name, swap=True)
    stop.set()
    await running

    for name in ("appointments.booked", "people.active", "appointments.lead-time"):
        assert (await rebuilding(name)).differences == []
        for tenant_id in (happened.tenant_id, PLATFORM):
            expected = {key: found for key, found in engine.batch(events, tenant_id).items() if key.metric == name}
            assert {key: found for key, found in (await engine.windows(tenant_id)).items() if key.metric == name} == expected


async def test_people_and_sessions_are_rebuilt_as_a_whole(
    rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any
) -> None:
    session, stranger = uuid4(), uuid4()
    events = [
        happened.registered(clock()),
        happened.signed_in(clock(), session_id=session),
        happened.signed_out(clock(), session),
    ]
    await count(engine, log.extend(events))
    async with engine.pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('app.tenant_id', $1, true)", str(happened.tenant_id))
        await connection.execute("update sessions set revoked_at = null")
        await connection.execute("update people set role = 'ADMINISTRATOR'")
        await connection.execute(
            "insert into people (user_id, role, registered_at) values ($1, 'PATIENT', $2)", stranger, clock()
        )

    assert len((await rebuilding("people", swap=True)).differences) == 2
    assert len((await rebuilding("sessions", swap=True)).differences) == 1

    tenant_id = happened.tenant_id
    assert [row["role"] for row in await engine.rows("select role from people", tenant_id=tenant_id)] == ["PATIENT"]
    assert [r["revoked_at"] for r in await engine.rows("select revoked_at from sessions", tenant_id=tenant_id)] == [clock()]
    with pytest.raises(ReplayRefused, match="as a whole"):
        await rebuilding("people", since=clock())


async def test_one_replay_at_a_time_uses_the_shadows(rebuilding: Rebuilding) -> None:
    async with rebuilding.open(BOOKED) as first, rebuilding.open("people") as second:
        await first.shadow()
        with pytest.raises(ReplayRefused, match="under way"):
            await second.shadow()


async def test_the_way_that_was_come_is_shown(rebuilding: Rebuilding, engine: Any, log: Any, happened: Any, clock: Any) -> None:
    await count(engine, log.extend([happened.booked(clock()) for _ in range(400)]))
    shown: list[Stride] = []

    await rebuilding(BOOKED, show=shown.append)

    assert shown[-1] == Stride(400, 400)
    assert [each.done for each in shown] == sorted(each.done for each in shown)
    assert {each.total for each in shown} == {400}


async def insert_shadow_series(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute("insert into shadow.series (tenant_id, metric, dimensions) values ($1, 'a.b', '{}')", tenant_id)


async def insert_shadow_window(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute(
        "insert into shadow.windows (tenant_id, series_id, span, starts_at, ends_at, n, total)"
        " values ($1, 1, 'hour', now(), now() + interval '1 hour', 1, 0)",
        tenant_id,
    )


async def insert_shadow_bucket(connection: Connection, tenant_id: UUID) -> None:
    statement = (
        "insert into shadow.window_buckets (tenant_id, series_id, span, starts_at, bucket, n) values ($1, 1, 'h', now(), 1, 1)"
    )
    await connection.execute(statement, tenant_id)


async def insert_shadow_member(connection: Connection, tenant_id: UUID) -> None:
    statement = "insert into shadow.window_members (tenant_id, series_id, span, starts_at, member) values ($1, 1, 'h', now(), $2)"
    await connection.execute(statement, tenant_id, bytes(16))


async def insert_shadow_person(connection: Connection, tenant_id: UUID) -> None:
    statement = "insert into shadow.people (tenant_id, user_id, role, registered_at) values ($1, $1, 'PATIENT', now())"
    await connection.execute(statement, tenant_id)


async def insert_shadow_session(connection: Connection, tenant_id: UUID) -> None:
    await connection.execute("insert into shadow.sessions (tenant_id, session_id) values ($1, $1)", tenant_id)


@pytest.mark.parametrize(
    ("table", "insert_row"),
    [
        ("shadow.series", insert_shadow_series),
        ("shadow.windows", insert_shadow_window),
        ("shadow.window_buckets", insert_shadow_bucket),
        ("shadow.window_members", insert_shadow_member),
        ("shadow.people", insert_shadow_person),
        ("shadow.sessions", insert_shadow_session),
    ],
)
async def test_no_tenant_reaches_the_shadows_of_another(pool: Pool, table: str, insert_row: Any) -> None:
    await assert_tenant_isolated(pool, table, insert_row)
