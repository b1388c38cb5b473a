"""Row about growth: what an event costs when there are ten times as many events, groups or open windows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace

from tests.bench.counting_race import POSTGRES, Race
from tests.bench.measure import sized, spread
from tests.bench.window_load import Shape
from tests.faults.lab import Lab

from tools.results import Row
from tools.steps import ROOT

EVENTS, THERAPISTS, MINUTES = 200_000, 200, 100
"""To begin with: any event may fall into any of 20,000 windows, so that a fetch meets few twice, however many more there are."""

ROUNDS, LONG_ROUNDS = 2, 5
GROWS = ("events", "groups", "minutes")
STEPS = (3, 10)
PLOT = ROOT / "results" / "windows-growth.png"


async def windows_growth(*, long: bool) -> list[Row]:
    """Microseconds per event of one worker as each of the three grows; the figure is the worst against the beginning."""
    base = Shape(sized(EVENTS), THERAPISTS, MINUTES, is_anywhere=True)
    rounds = sized(LONG_ROUNDS if long else ROUNDS, least=1)
    async with Lab(POSTGRES) as lab:
        begun = await _cost(lab, base, rounds)
        costs = {
            name: {1: begun, **{step: await _cost(lab, _grown(base, name, step), rounds) for step in STEPS}} for name in GROWS
        }
    middle = {name: {step: statistics.median(each) for step, each in found.items()} for name, found in costs.items()}
    _plot(middle)
    worst = max(found[STEPS[-1]] / found[1] for found in middle.values())
    detail: dict[str, object] = {
        name: {f"x{step}_us": spread(each) for step, each in found.items()} for name, found in costs.items()
    }
    say = f"cost of an event with {STEPS[-1]} times the events, groups or open windows"
    return [Row("windows-growth", say, round(worst, 2), "x", "<= 2", worst <= 2, {**detail, "plot": str(PLOT.relative_to(ROOT))})]


def _grown(base: Shape, name: str, step: int) -> Shape:
    match name:
        case "events":
            return replace(base, events=base.events * step)
        case "groups":
            return replace(base, therapists=base.therapists * step)
        case _:
            return replace(base, minutes=base.minutes * step)


async def _cost(lab: Lab, shape: Shape, rounds: int) -> list[float]:
    """Microseconds per event of each round, in a world of its own."""
    async with lab.world() as world:
        race = await Race.prepared(world, shape)
        try:
            found = [1e6 / await race.ours() for _ in range(rounds)]
        finally:
            await race.tables.close()
    print(f"   {shape}: {race.windows} windows, {statistics.median(found):.1f} us per event", flush=True)
    return found


def _plot(costs: Mapping[str, Mapping[int, float]]) -> None:
    """Draw the costs; a flat line is a cost that does not grow."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, found in costs.items():
        axes.plot(list(found), list(found.values()), marker="o", label={"minutes": "open windows per group"}.get(name, name))
    axes.set(xscale="log", xlabel="times as many", ylabel="microseconds per event", title="What an event costs as windows grow")
    axes.set_ylim(bottom=0)
    axes.set_xticks([1, *STEPS], ["1", *map(str, STEPS)])
    axes.legend()
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, dpi=120)
