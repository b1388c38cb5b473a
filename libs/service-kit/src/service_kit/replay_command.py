"""`python -m <service> replay NAME --from DATE`: replays a read model with a bar that moves, and prints what differs."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from service_kit.process import start_process
from service_kit.replaying import ReadModels, Replayed, Stride, places_from, replay
from service_kit.settings import ServiceSettings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

SHOWN = 50
"""Differences that are printed; of the others it is said how many there are."""


def add_replay_command(commands: argparse._SubParsersAction[Any]) -> None:  # argparse gives its type no public name
    """Add the command to a service's parser."""
    parser = commands.add_parser("replay", help="rebuild a read model from the log beside the live one, and compare")
    parser.add_argument("name", help="which one, such as a metric; a wrong name lists them")
    parser.add_argument("--from", dest="since", type=_moment, help="rebuild what is from this day or moment on; else all of it")
    parser.add_argument(
        "--at", type=_place, help="where in the log to begin reading, as an offset or a moment; else where --from is"
    )
    parser.add_argument("--swap", action="store_true", help="put what was rebuilt into the place of the live one")


def run_replay(
    settings: ServiceSettings, models: ReadModels, given: argparse.Namespace, *, console: Console | None = None
) -> None:
    """Replay what the arguments say; ends with status 1 when something differs and was not swapped, 2 for a wrong name."""
    from rich.console import Console

    start_process(settings, "replay")
    said = console or Console()
    if given.name not in models.names:
        said.print(f"There is no read model {given.name!r}. There are: {', '.join(models.names)}")
        raise SystemExit(2)
    replayed = asyncio.run(_replayed(settings, models, given, said))
    _tell(said, given.name, replayed)
    if replayed.differences and not replayed.swapped:
        raise SystemExit(1)


async def _replayed(settings: ServiceSettings, models: ReadModels, given: argparse.Namespace, console: Console) -> Replayed:
    from service_kit.log_reader import LogReader

    log = LogReader(settings.kafka, name=f"{settings.service_name}-replay")
    try:
        async with models.open(given.name, given.since) as model:
            starts = await places_from(log, model.topics, given.since if given.at is None else given.at)
            with _bar(console) as bar:
                return await replay(model, log, starts, swap=given.swap, show=_shown_on(bar, given.name))
    finally:
        log.close()


def _bar(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def _shown_on(bar: Progress, name: str) -> Callable[[Stride], None]:
    task = bar.add_task(name, total=None)
    return lambda stride: bar.update(task, completed=stride.done, total=stride.total)


def _tell(console: Console, name: str, replayed: Replayed) -> None:
    from rich.table import Table

    found = replayed.differences
    if not found:
        console.print(f"{name}: {replayed.records} records read, and the live one is what they give.")
        return
    table = Table("where", "live", "rebuilt")
    for each in found[:SHOWN]:
        table.add_row(each.where, each.live, each.rebuilt)
    console.print(table)
    more = f" ({len(found) - SHOWN} more)" if len(found) > SHOWN else ""
    end = "it was swapped" if replayed.swapped else "SWAP=1 puts what was rebuilt in its place"
    console.print(f"{name}: {replayed.records} records read, {len(found)} differences{more}; {end}.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no day such as 2026-11-01 and no moment such as 2026-11-01T09:30Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _place(text: str) -> datetime | int:
    return int(text) if text.isdigit() else _moment(text)
