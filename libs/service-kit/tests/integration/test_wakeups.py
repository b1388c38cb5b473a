"""Chores are woken by NOTIFY within milliseconds, and again after every loss of the connection."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import asyncpg
import pytest
from pydantic import SecretStr

from local_stack.postgres import ServiceDatabase
from service_kit.chores import Chore
from service_kit.wakeups import Wakeups


class Woken:
    """Notes when it was woken."""

    def __init__(self) -> None:
        self.moments: list[datetime] = []

    def wake(self, moment: datetime) -> None:
        self.moments.append(moment)


async def until(is_so: Callable[[], bool], limit_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.fixture
async def notify(sample_database: ServiceDatabase) -> AsyncIterator[Callable[[str], Awaitable[object]]]:
    connection = await asyncpg.connect(sample_database.app_url)
    yield lambda channel: connection.execute("select pg_notify($1, '')", channel)
    await connection.close()


async def test_each_channel_wakes_its_own_chores(
    sample_database: ServiceDatabase, notify: Callable[[str], Awaitable[object]]
) -> None:
    first, second, other = Woken(), Woken(), Woken()
    wakeups = Wakeups(
        SecretStr(sample_database.app_url), {"one": [first.wake, second.wake], "two": [other.wake]}, name="wakeups-test"
    )
    await wakeups.work(datetime.now().astimezone())
    # Whatever was notified while nobody listened: everybody looks once after a connect.
    assert (len(first.moments), len(second.moments), len(other.moments)) == (1, 1, 1)
    await notify("one")
    await until(lambda: len(second.moments) == 2)
    await notify("nobody")

    assert (len(first.moments), len(other.moments)) == (2, 1)
    await wakeups.end()


async def test_after_a_loss_it_listens_again_and_wakes_everybody(
    sample_database: ServiceDatabase, notify: Callable[[str], Awaitable[object]]
) -> None:
    woken = Woken()
    wakeups = Wakeups(SecretStr(sample_database.app_url), {"one": [woken.wake]}, name="wakeups-lost")
    stop = asyncio.Event()
    running = asyncio.create_task(Chore("wakeups", wakeups.work, end=wakeups.end, look_seconds=0.05).run(stop))
    await until(lambda: len(woken.moments) == 1)
    owner = await asyncpg.connect(sample_database.app_url)
    await owner.fetch("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'wakeups-lost'")
    await until(lambda: len(woken.moments) == 2)
    await notify("one")
    await until(lambda: len(woken.moments) == 3)
    stop.set()
    await running
    await owner.close()


async def test_work_in_another_process_is_begun_at_once_and_not_at_the_next_look(
    sample_database: ServiceDatabase, notify: Callable[[str], Awaitable[object]]
) -> None:
    looked: list[float] = []

    async def work(_: datetime) -> None:
        looked.append(time.monotonic())

    chore = Chore("slow", work, look_seconds=600)
    wakeups = Wakeups(SecretStr(sample_database.app_url), {"one": [chore.due_at]}, name="wakeups-chore")
    stop = asyncio.Event()
    await wakeups.work(datetime.now().astimezone())
    running = asyncio.create_task(chore.run(stop))
    await until(lambda: len(looked) >= 1)
    before = len(looked)
    await asyncio.sleep(0.2)
    await notify("one")
    await until(lambda: len(looked) > before)
    stop.set()
    await running
    await wakeups.end()
