"""What is published is read from the lake with DuckDB, each event once, whatever was late, repeated or unreadable."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from services.analytics.tests.integration.lake.conftest import NOW, Documented, Shore, settled

from analytics.use_cases.lake import LogShorter, Timing
from analytics.use_cases.lake_rounds import LakeRounds
from bloom_events.appointments import VisitType
from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import APPOINTMENTS, USERS
from local_stack.postgres import ServiceDatabase
from service_kit.errors import ServiceUnavailable
from service_kit.object_store.port import content_of

EXAMPLES = Path(__file__).parents[5] / "libs/events/examples"
DAY = timedelta(days=1)


async def test_the_numbers_that_the_documented_query_gives_are_those_of_what_was_published(
    shore: Shore, documented: Documented
) -> None:
    kinds = [VisitType.INITIAL, VisitType.STANDARD, VisitType.STANDARD]
    events = [shore.booked(NOW - (place % 4) * DAY, visit_type=kinds[place % 3]) for place in range(240)]
    shore.publish(*events)
    shore.publish(*events[::10])

    async with shore.lake() as lake:
        await lake.round()

    expected = Counter((event.time.date(), event.data.visit_type.value) for event in events)
    assert {(day, kind): count for day, kind, count in documented.query()} == expected
    # Today still has twice what came twice; days that are over have not.
    again = [event for event in events[::10] if event.time.date() == NOW.date()]
    assert Counter(documented.ids()) == Counter(event.id for event in [*events, *again])


async def test_every_example_of_every_event_is_found_in_the_lake(shore: Shore, documented: Documented) -> None:
    expected: set[tuple[str, UUID]] = set()
    for path in sorted(EXAMPLES.glob("*/*.json")):
        record = json.loads(path.read_text())
        kind = EVENT_TYPES[record["headers"]["ce_type"]]
        if kind.TOPIC.cleanup_policy != "delete":
            continue
        headers = [(name, value.encode()) for name, value in record["headers"].items()]
        shore.publish_raw(kind.TOPIC.name, headers, json.dumps(record["value"]).encode())
        expected.add((kind.TYPE, UUID(record["headers"]["ce_id"])))

    async with shore.lake() as lake:
        settled(await lake.round())

    found = {(kind, UUID(row["event_id"])) for kind in {name for name, _ in expected} for row in documented.rows(kind)}
    assert found == expected
    assert {row["type"] for row in documented.rows("risk.scored.v1")} == {"risk.scored.v1"}


async def test_days_that_are_over_become_one_file_each_without_what_came_twice(shore: Shore, documented: Documented) -> None:
    events = [shore.booked(NOW - DAY) for _ in range(60)]
    shore.publish(*events)
    shore.publish(*events[:7])
    async with shore.lake(timing=Timing(batch_records=5)) as lake:
        first = settled(await lake.round())
    assert first.compacted == 1
    assert first.files > 1

    (file,) = shore.manifest("2026-11-02")["files"]
    assert file["is_compacted"]
    assert file["rows"] == 60
    assert file["sha256"] == hashlib.sha256(content_of(shore.store, file["path"])).hexdigest()
    assert file["bytes"] == len(content_of(shore.store, file["path"]))
    assert Counter(documented.ids()) == Counter(event.id for event in events)


async def test_a_day_is_left_alone_until_its_time_for_late_events_is_over(shore: Shore) -> None:
    shore.publish(*[shore.booked(NOW) for _ in range(5)])
    async with shore.lake() as lake:
        assert settled(await lake.round()).compacted == 0
        shore.clock.moment = NOW.replace(day=4, hour=0, minute=59)
        assert settled(await lake.round()).compacted == 0
        shore.clock.advance(minutes=1)
        assert settled(await lake.round()).compacted == 1


async def test_what_comes_late_is_found_at_once_and_compacted_into_its_day(shore: Shore, documented: Documented) -> None:
    in_time, late = [shore.booked(NOW - 3 * DAY) for _ in range(9)], shore.booked(NOW - 3 * DAY)
    shore.publish(*in_time)
    async with shore.lake() as lake:
        await lake.round()
        shore.publish(late, in_time[0])
        assert settled(await lake.round()).compacted == 1

    (file,) = shore.manifest("2026-10-31")["files"]
    assert file["path"].split("/")[2].startswith("compacted.000002.")
    assert Counter(documented.ids()) == Counter(event.id for event in [*in_time, late])


async def test_replaced_files_stay_for_their_readers_and_are_then_removed(shore: Shore) -> None:
    shore.publish(*[shore.booked(NOW - DAY) for _ in range(30)])
    async with shore.lake() as lake:
        await lake.round()
        replaced = shore.data() - shore.listed()
        assert replaced
        shore.clock.advance(minutes=59)
        assert settled(await lake.round()).removed == 0
        shore.clock.advance(minutes=2)
        assert settled(await lake.round()).removed == len(replaced)
    assert shore.data() == shore.listed()


async def test_a_round_without_news_writes_nothing(shore: Shore) -> None:
    shore.publish(shore.booked(NOW), shore.booked(NOW - DAY))
    async with shore.lake() as lake:
        await lake.round()
        before = set(shore.store.paths(""))
        done = settled(await lake.round())
    assert (done.records, done.files, done.compacted) == (0, 0, 0)
    assert set(shore.store.paths("")) == before


async def test_a_date_keeps_its_two_newest_manifests(shore: Shore) -> None:
    async with shore.lake() as lake:
        for _ in range(4):
            shore.publish(shore.booked(NOW))
            await lake.round()
    assert shore.store.paths("manifests/date=2026-11-03/") == [
        "manifests/date=2026-11-03/0000000003.json",
        "manifests/date=2026-11-03/0000000004.json",
    ]
    assert shore.manifest("2026-11-03")["revision"] == 4


async def test_a_record_that_nobody_can_read_is_put_aside_and_stops_nothing(shore: Shore, documented: Documented) -> None:
    event = shore.booked(NOW)
    shore.publish_raw(APPOINTMENTS.name, [("ce_specversion", b"1.0")], b"{}")
    shore.publish(event)
    async with shore.lake() as lake:
        await lake.round()

    assert documented.ids() == [event.id]
    (aside,) = await shore.fetch("select topic, reason, type from lake_aside")
    assert tuple(aside) == (APPOINTMENTS.name, "unreadable: ce_type is missing or malformed", None)


async def test_an_event_whose_type_was_not_known_is_written_once_a_version_knows_it(
    shore: Shore, documented: Documented, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = shore.booked(NOW)
    shore.publish(event)
    known = dict(EVENT_TYPES)
    older = {name: kind for name, kind in known.items() if name != "appointment.booked.v1"}
    with monkeypatch.context() as older_version:
        older_version.setattr("bloom_events.registry.EVENT_TYPES", older)
        older_version.setattr("analytics.use_cases.lake.LAKE_TYPES", older)
        async with shore.lake() as lake:
            await lake.round()
    assert documented.ids() == []
    assert [row["type"] for row in await shore.fetch("select type from lake_aside")] == ["appointment.booked.v1"]

    async with shore.lake() as lake:
        await lake.round()
        await lake.round()

    assert documented.ids() == [event.id]
    assert await shore.fetch("select from lake_aside") == []


async def test_one_of_several_processes_writes(shore: Shore, documented: Documented) -> None:
    events = [shore.booked(NOW) for _ in range(200)]
    shore.publish(*events)
    async with shore.lake() as first, shore.lake() as second, shore.lake() as third:
        for _ in range(3):
            assert any(await asyncio.gather(first.round(), second.round(), third.round()))
    assert Counter(documented.ids()) == Counter(event.id for event in events)


async def test_a_log_that_ends_before_what_was_written_stops_the_round(shore: Shore) -> None:
    await shore.execute_many("update lake_positions set next_offset = 10^9 where topic = $1 and partition = 0", [(USERS.name,)])
    async with shore.lake() as lake:
        with pytest.raises(LogShorter, match=r"bloom\.users\.v1 0"):
            await lake.round()


async def test_the_lake_is_written_again_from_the_log_when_the_database_was_lost(
    shore: Shore, documented: Documented, make_database: Callable[[], ServiceDatabase]
) -> None:
    positions = [tuple(row) for row in await shore.fetch("select topic, partition, next_offset from lake_positions")]
    events = [shore.booked(NOW) for _ in range(20)]
    async with shore.lake() as lake:
        for place in range(0, 20, 5):
            shore.publish(*events[place : place + 5])
            await lake.round()
    before, revision = shore.listed(), shore.manifest("2026-11-03")["revision"]

    shore.database = make_database()
    await shore.execute_many("insert into lake_positions values ($1, $2, $3)", positions)
    late = shore.booked(NOW)
    shore.publish(late)
    async with shore.lake(timing=Timing(sweep_every=timedelta())) as lake:
        await lake.round()
        assert Counter(documented.ids()) == Counter(event.id for event in [*events, late])
        assert settled(await lake.round()).orphans == len(before - shore.listed()) > 0

    assert shore.data() == shore.listed()
    assert shore.manifest("2026-11-03")["revision"] == revision + 1


class BrokenStore:
    """A store that is away until it is mended."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, _: str) -> object:
        def away(*_: object) -> None:
            self.calls += 1
            raise ServiceUnavailable("away")

        return away


async def test_rounds_go_on_while_the_store_is_away_and_the_process_says_so(shore: Shore) -> None:
    store, stop = BrokenStore(), asyncio.Event()
    async with shore.lake(store=store) as lake:
        rounds = LakeRounds(lake, every_seconds=3600, pause_seconds=0.05)
        running = asyncio.create_task(rounds.run(stop))
        while store.calls < 3:  # noqa: ASYNC110  # it is another thread that counts
            await asyncio.sleep(0.02)
        assert await rounds.health_checks()["lake"]() == "ServiceUnavailable"
        stop.set()
        await asyncio.wait_for(running, 10)


async def test_a_process_that_is_told_to_stop_cuts_its_round_off(shore: Shore, documented: Documented) -> None:
    events = [shore.booked(NOW) for _ in range(50)]
    shore.publish(*events)
    stop = asyncio.Event()
    async with shore.lake(timing=Timing(batch_records=1)) as lake:
        running = asyncio.create_task(LakeRounds(lake, every_seconds=3600).run(stop))
        while not await shore.fetch("select from lake_files"):  # noqa: ASYNC110  # PostgreSQL is looked at
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(running, 15)
    async with shore.lake() as lake:
        await lake.round()
    assert Counter(documented.ids()) == Counter(event.id for event in events)
    assert date(2026, 11, 3) in {row["date"] for row in documented.rows("appointment.booked.v1")}
