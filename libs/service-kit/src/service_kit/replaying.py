"""Replay: a read model is built anew from the log beside the live one, compared with it, and put in its place if that is wanted.

The worker of the live one goes on meanwhile. Most of the log is read while nobody waits for anything; the rest, up to where the
live model is, within one transaction: one that sees a standing picture of it (to compare), or one that keeps its worker from
writing for that moment (to swap).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from service_kit.consuming import LogRecord
from service_kit.log_reader import Place

BATCH_RECORDS = 5_000
"""Records that a model is given at a time: some hundred milliseconds of work."""

Positions: TypeAlias = Mapping[Place, int]
"""The next offset of partitions."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of the live model that is not what the log gives: where it is, and what both say, in words for an operator."""

    where: str
    live: str
    rebuilt: str


class ReadModel(Protocol):
    """What a service derives from the log and can derive again."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def topics(self) -> Sequence[str]:
        """All that it is derived from."""
        ...

    async def shadow(self) -> None:
        """Make an empty shadow, in the place of any that was left behind."""
        ...

    async def apply(self, records: Sequence[LogRecord]) -> None:
        """Add records of one partition, in their order, to the shadow as the worker adds them to the live model."""
        ...

    async def positions(self) -> Positions:
        """Up to where the live model has been written; of its own partitions only."""
        ...

    def held(self, *, for_swap: bool) -> AbstractAsyncContextManager[None]:
        """A transaction in which the live model stands still.

        It sees a picture in which it does, and nobody waits; or, for a swap, the model's worker waits for its end. What is
        applied within is a part of it. It is committed at the end of the block.
        """
        ...

    async def compare(self) -> Sequence[Difference]:
        """What differs, while the model is held."""
        ...

    async def swap(self) -> None:
        """Put the shadow into the place of the live model, where they differ, while the model is held for a swap."""
        ...


class Log(Protocol):
    """The log as a replay reads it; `service_kit.log_reader.LogReader` is one. Its calls block."""

    def ends(self, topics: Sequence[str]) -> Positions:
        """Where each partition ends."""
        ...

    def starts(self, topics: Sequence[str], since: datetime) -> Positions:
        """Where each partition has its first record from then or later."""
        ...

    def read(self, topic: str, partition: int, first: int, until: int, limit: int) -> tuple[list[LogRecord], int]:
        """Records from an offset on, and the offset from which to go on."""
        ...


@dataclass(frozen=True, slots=True)
class Stride:
    """How far a replay has come: records done, and records to do as far as is known."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found; `swapped` says whether the live model is now what was rebuilt."""

    records: int
    differences: Sequence[Difference]
    swapped: bool


Show: TypeAlias = Callable[[Stride], None]


async def replay(model: ReadModel, log: Log, starts: Positions, *, swap: bool, show: Show = lambda _: None) -> Replayed:
    """Rebuild a model from these places on, compare, and swap where it was asked for and something differs."""
    course = _Course(model, log, dict(starts), show)
    await model.shadow()
    await course.catch_up(await model.positions())
    async with model.held(for_swap=swap):
        await course.catch_up(await model.positions())
        differences = await model.compare()
        if swap and differences:
            await model.swap()
    return Replayed(course.done, differences, swapped=swap and bool(differences))


class _Course:
    """Reads the log up to where it is told, remembering where it is."""

    def __init__(self, model: ReadModel, log: Log, following: dict[Place, int], show: Show) -> None:
        self._model, self._log, self._following, self._show = model, log, following, show
        self.done = 0

    async def catch_up(self, until: Positions) -> None:
        total = self.done + sum(max(0, end - self._following.get(place, 0)) for place, end in until.items())
        for place, end in sorted(until.items()):
            for first in self._steps(place, end):
                records, following = await asyncio.to_thread(self._log.read, *place, first, end, BATCH_RECORDS)
                await self._model.apply(records)
                self._following[place] = following
                self.done += following - first
                self._show(Stride(self.done, total))

    def _steps(self, place: Place, end: int) -> Iterator[int]:
        while (first := self._following.setdefault(place, 0)) < end:
            yield first


Make: TypeAlias = Callable[[datetime | None], AbstractAsyncContextManager[ReadModel]]
"""Opens a model of which what belongs to a moment or later is rebuilt; None rebuilds all of it."""


class ReadModels:
    """The models of a service that can be replayed, by name."""

    def __init__(self) -> None:
        self._makers: dict[str, Make] = {}

    def register(self, name: str, make: Make) -> None:
        """Have a model be replayed under this name; raises ValueError when another one has it."""
        if name in self._makers:
            raise ValueError(f"two read models are called {name}")
        self._makers[name] = make

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return sorted(self._makers)

    def open(self, name: str, since: datetime | None) -> AbstractAsyncContextManager[ReadModel]:
        """Open a model; raises KeyError for a name that nobody has registered."""
        return self._makers[name](since)


async def places_from(log: Log, topics: Sequence[str], at: datetime | int | None) -> Positions:
    """Where to begin: at the first records from a moment, at an offset in every partition, or at the beginning."""
    if isinstance(at, datetime):
        return await asyncio.to_thread(log.starts, topics, at)
    ends = await asyncio.to_thread(log.ends, topics)
    return {place: min(at or 0, end) for place, end in ends.items()}
