"""A replay reads while nobody waits, then the rest while the live model stands still; it swaps what differs when asked."""

import argparse
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from service_kit.consuming import LogRecord
from service_kit.log_reader import Place
from service_kit.replay_command import _tell, add_replay_command, run_replay
from service_kit.replaying import Difference, Positions, ReadModel, ReadModels, Replayed, Stride, places_from, replay
from service_kit.settings import ServiceSettings, service_config

HERE = Place("bloom.things.v1", 0)
MORNING = datetime(2026, 11, 1, tzinfo=UTC)


class Log:
    """Records of one partition that grows; each holds one letter and is a second younger than the one before."""

    def __init__(self, letters: str) -> None:
        self.letters = letters

    def ends(self, _: Sequence[str]) -> Positions:
        return {HERE: len(self.letters)}

    def starts(self, _: Sequence[str], since: datetime) -> Positions:
        return {HERE: int((since - MORNING).total_seconds())}

    def read(self, _topic: str, _partition: int, first: int, until: int, _limit: int) -> tuple[list[LogRecord], int]:
        until = min(until, first + 2)
        return [LogRecord(*HERE, place, 0, None, self.letters[place].encode(), ()) for place in range(first, until)], until


class Letters:
    """How often each letter was there. Its worker writes `live` meanwhile, unless it is held for a swap."""

    name, topics = "letters", ["bloom.things.v1"]

    def __init__(self, log: Log, live: str) -> None:
        self.log, self.live, self.rebuilt, self.held_for = log, list(live), list("left over"), ""
        self.position = len(live)

    async def shadow(self) -> None:
        self.rebuilt = []

    async def apply(self, records: Sequence[LogRecord]) -> None:
        self.rebuilt += [(record.value or b"").decode() for record in records]
        if not self.held_for and self.position < len(self.log.letters):
            self.live.append(self.log.letters[self.position])
            self.position += 1

    async def positions(self) -> Positions:
        return {HERE: self.position}

    @asynccontextmanager
    async def held(self, *, for_swap: bool) -> AsyncIterator[None]:
        self.held_for = "swap" if for_swap else "looking"
        yield
        self.held_for = ""

    async def compare(self) -> Sequence[Difference]:
        assert self.held_for
        return [] if sorted(self.live) == sorted(self.rebuilt) else [Difference("all", "".join(self.live), "".join(self.rebuilt))]

    async def swap(self) -> None:
        assert self.held_for == "swap"
        self.live = list(self.rebuilt)


async def test_what_came_while_the_log_was_read_is_read_too() -> None:
    model = Letters(log := Log("abcdefgh"), live="abcd")
    shown: list[Stride] = []

    found = await replay(model, log, {HERE: 0}, swap=False, show=shown.append)

    assert found.differences == []
    assert model.rebuilt == model.live
    assert len(model.live) > 4
    assert [each.done for each in shown] == sorted({each.done for each in shown})
    assert shown[-1].done == shown[-1].total == found.records


@pytest.mark.parametrize("swap", [True, False])
async def test_what_differs_is_told_and_swapped_when_that_was_asked_for(swap: bool) -> None:
    model = Letters(log := Log("abcd"), live="abxd")

    found = await replay(model, log, {}, swap=swap)

    assert found == Replayed(4, [Difference("all", "abxd", "abcd")], swapped=swap)
    assert "".join(model.live) == ("abcd" if swap else "abxd")


async def test_nothing_is_swapped_where_nothing_differs() -> None:
    class Strict(Letters):
        async def swap(self) -> None:
            raise AssertionError("swapped")

    assert not (await replay(Strict(log := Log("ab"), live="ab"), log, {}, swap=True)).swapped


@pytest.mark.parametrize(("at", "first"), [(None, 0), (3, 3), (99, 8), (datetime(2026, 11, 1, 0, 0, 5, tzinfo=UTC), 5)])
async def test_the_log_is_read_from_the_place_that_was_said(at: Any, first: int) -> None:
    assert await places_from(Log("abcdefgh"), ["bloom.things.v1"], at) == {HERE: first}


def test_a_name_is_given_once_and_an_unknown_one_is_an_error() -> None:
    models = ReadModels()
    models.register("letters", opened)
    with pytest.raises(ValueError, match="two read models"):
        models.register("letters", opened)
    with pytest.raises(KeyError):
        models.open("digits", None)
    assert models.names == ["letters"]


@asynccontextmanager
async def opened(_: datetime | None) -> AsyncIterator[ReadModel]:
    yield Letters(Log("ab"), live="ab")


def given(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_replay_command(parser.add_subparsers())
    return parser.parse_args(["replay", *arguments])


def test_days_and_moments_and_offsets_are_understood() -> None:
    found = given("letters", "--from", "2026-11-01", "--at", "1200", "--swap")
    assert (found.since, found.at, found.swap) == (MORNING, 1200, True)
    assert given("letters", "--at", "2026-11-01T00:00Z").at == MORNING
    with pytest.raises(SystemExit):
        given("letters", "--from", "yesterday")


class Settings(ServiceSettings):
    model_config = service_config("REPLAYTEST_")
    service_name = "replaytest"


def test_an_unknown_name_is_answered_by_those_that_there_are() -> None:
    models, said = ReadModels(), io.StringIO()
    models.register("letters", opened)
    settings = Settings(environment="test", database_url="postgresql://nobody@127.0.0.1:1/none")  # type: ignore[arg-type]  # as text
    with pytest.raises(SystemExit) as ended:
        run_replay(settings, models, given("digits"), console=Console(file=said, width=120))
    assert ended.value.code == 2
    assert "There are: letters" in said.getvalue()


def test_many_differences_are_cut_and_counted() -> None:
    said = io.StringIO()
    found = [Difference(f"window {place}", "1", "2") for place in range(60)]
    _tell(Console(file=said, width=120), "letters", Replayed(9, found, swapped=False))
    assert "window 49" in said.getvalue()
    assert "window 50" not in said.getvalue()
    assert "9 records read, 60 differences (10 more)" in said.getvalue()
