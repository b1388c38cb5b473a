"""Rows about windows: analytics' worker against Kafka Streams and against Faust's own table, on the same topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.bench.counting_race import POSTGRES, Race
from tests.bench.measure import Paired, paired, sized
from tests.bench.window_load import Shape
from tests.faults.lab import Lab

from bloom_events.topics import APPOINTMENT_RESULTS
from local_stack.topics import create_topics
from tools.results import Row

ROUNDS, LONG_ROUNDS = 4, 10
EVENTS, FAUST_EVENTS, THERAPISTS = 1_000_000, 200_000, 1_000
FEW, MANY = 0.17, 3.3
"""Minutes that are told of, by how many would give each event a window of its own: 0.17 and 0.86 windows an event."""

Side = Callable[[Race], Awaitable[float]]
_COUNTS = "bloom.bench-counts.v1"


def shape(events: int, share: float) -> Shape:
    """So many events, in so many minutes that their windows come to the same share of them whatever their number."""
    return Shape(events, THERAPISTS, max(1, round(share * events / THERAPISTS)))


async def windows_vs_kafka_streams(*, long: bool) -> list[Row]:
    """Events per second, counted by tenant, therapist and minute: ours over Kafka Streams, with few and with many windows."""
    rows = []
    for id_, share, how in (("", FEW, "few"), ("-many", MANY, "many")):
        pair, windows = await _raced(
            sized(EVENTS), share, Race.ours, Race.streams, long=long, say=f"{how} windows: ours, Streams"
        )
        rows.append(_row(f"windows-vs-kafka-streams{id_}", f"counting into {how} windows over Kafka Streams", pair, 1.5, windows))
    return rows


async def windows_told_vs_kafka_streams(*, long: bool) -> list[Row]:
    """The same, few windows, when both publish what windows come to: ours until the newest state of each is on its topic."""

    async def theirs(race: Race) -> float:
        create_topics(race.world.kafka.bootstrap, [replace(APPOINTMENT_RESULTS, name=_COUNTS)])
        return await race.streams(results=_COUNTS)

    pair, windows = await _raced(sized(EVENTS), FEW, Race.ours_telling, theirs, long=long, say="with results: ours, Streams")
    row = _row("windows-told-vs-kafka-streams", "counting and publishing results over Kafka Streams", pair, 0.0, windows)
    return [replace(row, goal="-", ok=None)]


async def windows_vs_faust_table(*, long: bool) -> list[Row]:
    """The same over Faust's own tumbling table."""
    events = sized(FAUST_EVENTS)
    pair, windows = await _raced(events, FEW, Race.ours, Race.faust_table, long=long, say="ours, Faust's table")
    return [_row("windows-vs-faust-table", "counting into windows over Faust's own table", pair, 8.0, windows)]


async def _raced(events: int, share: float, ours: Side, theirs: Side, *, long: bool, say: str) -> tuple[Paired, int]:
    async with Lab(POSTGRES) as lab, lab.world() as world:
        await world.started("analytics", "relay")
        race = await Race.prepared(world, shape(events, share))
        try:
            rounds = sized(LONG_ROUNDS if long else ROUNDS, least=1)
            pair = await paired(rounds, lambda: ours(race), lambda: theirs(race), say=say, unit="events/s")
        finally:
            await race.tables.close()
    return pair, race.windows


def _row(id_: str, name: str, pair: Paired, goal: float, windows: int) -> Row:
    return pair.row(id_, name, goal=f">= {goal:g}", ok=lambda ratio: ratio >= goal, unit="events_per_s", windows=windows)
