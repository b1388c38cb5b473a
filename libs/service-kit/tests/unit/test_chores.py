"""A chore works when something is due, sleeps meanwhile, goes on after failures, and ends with its process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import faust
import pytest
from structlog.testing import capture_logs

from service_kit import metrics
from service_kit.chores import Chore, add_chore, beside_chores
from service_kit.unit_of_work import utc_now

PATIENCE_SECONDS = 30.0
LONG = timedelta(hours=1)


class Ledger:
    """Work that notes when it was done, and says when the next is due."""

    def __init__(self, following: timedelta | None = LONG, *, failing: int = 0) -> None:
        self.done: list[datetime] = []
        self.following = following
        self.failing = failing
        self._changed = asyncio.Event()

    async def work(self, now: datetime) -> datetime | None:
        self.done.append(now)
        self._changed.set()
        if len(self.done) <= self.failing:
            raise ConnectionRefusedError
        return None if self.following is None else now + self.following

    async def times(self, count: int) -> None:
        """Return when the work was done so often."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.done) < count:
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def running(chore: Chore) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(chore.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def test_the_work_is_done_at_once_and_then_when_the_next_is_due() -> None:
    ledger = Ledger(timedelta(milliseconds=50))

    async with running(Chore("test", ledger.work, look_seconds=3600)):
        await ledger.times(3)

    assert all(after - before >= timedelta(milliseconds=49) for before, after in zip(ledger.done, ledger.done[1:], strict=False))


async def test_what_others_made_due_is_looked_for_though_nothing_is_known_to_be() -> None:
    ledger = Ledger(None)

    async with running(Chore("test", ledger.work, look_seconds=0.02)):
        await ledger.times(3)


async def test_it_does_not_sleep_past_what_becomes_due_sooner() -> None:
    ledger = Ledger()
    chore = Chore("test", ledger.work, look_seconds=3600)

    async with running(chore):
        await ledger.times(1)
        soon = utc_now() + timedelta(milliseconds=30)
        chore.due_at(soon + LONG)
        chore.due_at(soon)
        await ledger.times(2)

    assert ledger.done[1] >= soon


async def test_what_becomes_due_while_it_works_is_not_missed() -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(now: datetime) -> datetime:
        if begun.is_set():
            done.set()
        begun.set()
        await go_on.wait()
        return now + LONG

    chore = Chore("test", work, look_seconds=3600)
    async with running(chore):
        await begun.wait()
        chore.due_at(utc_now())
        go_on.set()
        await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)


async def test_a_failure_is_counted_and_told_and_the_work_is_tried_again() -> None:
    ledger = Ledger(failing=2)
    before = metrics.CHORE_FAILURES.labels("failing")._value.get()

    with capture_logs() as logs:
        async with running(Chore("failing", ledger.work, look_seconds=3600)):
            await ledger.times(3)

    assert metrics.CHORE_FAILURES.labels("failing")._value.get() == before + 2
    assert [(line["event"], line["chore"]) for line in logs] == [("chore.failed", "failing")]


async def test_what_stays_due_does_not_take_all_of_the_processs_time() -> None:
    ledger = Ledger(timedelta(0))

    async with running(Chore("busy", ledger.work)):
        await ledger.times(5)

    assert ledger.done[4] - ledger.done[0] >= timedelta(milliseconds=15)


async def test_at_the_end_the_work_in_hand_is_finished_and_what_it_opened_is_given_back() -> None:
    story: list[str] = []
    begun = asyncio.Event()

    async def work(_: datetime) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        story.append("finished")

    async def end() -> None:
        story.append("given back")

    async with running(Chore("test", work, end=end)):
        await begun.wait()

    assert story == ["finished", "given back"]


def an_app(*added: Chore) -> faust.App:
    app = faust.App("chores-test", broker="kafka://127.0.0.1:1", autodiscover=False)
    for chore in added:
        add_chore(app, chore)
    return app


async def test_chores_run_for_as_long_as_the_app_does() -> None:
    ledger, stop = Ledger(), asyncio.Event()

    async def app_runs() -> None:
        await ledger.times(1)

    await asyncio.wait_for(beside_chores(an_app(Chore("test", ledger.work)), app_runs(), stop), PATIENCE_SECONDS)

    assert stop.is_set()


async def test_a_crash_of_the_app_ends_its_chores_and_is_passed_on() -> None:
    async def app_crashes() -> None:
        raise RuntimeError("crashed")

    with pytest.raises(RuntimeError, match="crashed"):
        await beside_chores(an_app(Chore("test", Ledger().work)), app_crashes(), asyncio.Event())


@pytest.mark.parametrize("what", ["hangs", "raises"])
async def test_a_chore_that_does_not_end_well_keeps_nothing_from_ending_and_is_told_of(what: str) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        await asyncio.sleep(3600)

    async def fail() -> None:
        raise RuntimeError

    async def work(_: datetime) -> None:
        begun.set()

    endings: dict[str, Callable[[], Awaitable[None]]] = {"hangs": hang, "raises": fail}

    async def app_runs() -> None:
        await begun.wait()

    with capture_logs() as logs:
        chore = Chore("stubborn", work, end=endings[what])
        ending = beside_chores(an_app(chore), app_runs(), asyncio.Event(), end_seconds=0.1)
        await asyncio.wait_for(ending, PATIENCE_SECONDS)

    assert [line["event"] for line in logs] == [{"hangs": "chore.cut_off", "raises": "chore.ended_badly"}[what]]
