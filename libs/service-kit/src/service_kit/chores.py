"""What a worker does by the clock beside reading the log: work that is due at moments kept in PostgreSQL.

A chore runs from the start of the process to its end, whether Kafka is there or not. It sleeps until the next moment that its
work names, so that nothing is polled and little is late; every second it looks anew, for what others have made due.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import faust
import structlog

from service_kit import metrics
from service_kit.unit_of_work import Clock, utc_now

log = structlog.get_logger(__name__)

Work: TypeAlias = Callable[[datetime], Awaitable[datetime | None]]
"""Does what is due at a moment and returns when the next is due, None if nothing is known to be."""

LOOK_SECONDS = 1.0
"""What another process makes due is seen after so long at the latest; it must not be due sooner than that."""

_PAUSE_AFTER_FAILURE = timedelta(milliseconds=200)
"""Short, because what is due goes on being due; PostgreSQL stands a try five times a second."""

END_SECONDS = 10.0
"""How long what a chore has in hand may take when the process ends: twice as long as a statement may wait for a lock."""

_LOG_EVERY = 25
_SHORTEST_SECONDS = 0.005
_CHORES = "bloom_chores"


class Chore:
    """One kind of work by the clock; several processes may do it at a time if the work locks what it takes.

    `end` is called once when the chore ends, to give back what the work has opened.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        *,
        end: Callable[[], Awaitable[None]] | None = None,
        clock: Clock = utc_now,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self.name = name
        self._work = work
        self._end = end
        self._clock = clock
        self._look = timedelta(seconds=look_seconds)
        self._planned: datetime | None = None
        self._sooner = asyncio.Event()
        self._failures = 0

    def due_at(self, moment: datetime) -> None:
        """Say that something is due then, so that the chore does not sleep past it."""
        if self._planned is None or moment < self._planned:
            self._planned = moment
            self._sooner.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; a failure is told and the work tried again, for nobody else does it."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self._sleep(await self._once(), stopping)
        finally:
            stopping.cancel()
            if self._end is not None:
                await self._end()

    async def _once(self) -> datetime:
        """Do what is due and return until when to sleep."""
        self._planned = None
        try:
            following = await self._work(self._clock())
        except Exception as error:
            self._tell(error)
            return self._clock() + _PAUSE_AFTER_FAILURE
        self._failures = 0
        latest = self._clock() + self._look
        return min(following, latest) if following else latest

    async def _sleep(self, until: datetime, stopping: asyncio.Future[Any]) -> None:
        """Sleep until then, until something is due sooner, or until the end."""
        self._planned = min(until, self._planned) if self._planned else until
        while (seconds := (self._planned - self._clock()).total_seconds()) > 0 and not stopping.done():
            self._sooner.clear()
            sooner = asyncio.ensure_future(self._sooner.wait())
            await asyncio.wait({sooner, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            sooner.cancel()
        # What is due at once and stays due, because another process is at it, must not take all of this one's time.
        await asyncio.sleep(_SHORTEST_SECONDS)

    def _tell(self, error: Exception) -> None:
        metrics.CHORE_FAILURES.labels(self.name).inc()
        if self._failures % _LOG_EVERY == 0:
            log.warning("chore.failed", chore=self.name, failures=self._failures + 1, exc_info=error)
        self._failures += 1


def add_chore(app: faust.App, chore: Chore) -> None:
    """Have the worker's process run this chore beside the app."""
    app.__dict__.setdefault(_CHORES, []).append(chore)


async def beside_chores(
    app: faust.App, running: Coroutine[Any, Any, None], stop: asyncio.Event, *, end_seconds: float = END_SECONDS
) -> None:
    """Run the app's chores for as long as `running` takes; what a chore has in hand when it ends is finished first."""
    chores = [asyncio.create_task(chore.run(stop), name=chore.name) for chore in app.__dict__.get(_CHORES, ())]
    try:
        await running
    finally:
        stop.set()
        if chores:
            await _ended(chores, end_seconds)


async def _ended(chores: Sequence[asyncio.Task[None]], end_seconds: float) -> None:
    """Wait until all have ended, or cut off what does not."""
    done, late = await asyncio.wait(chores, timeout=end_seconds)
    for chore in late:
        chore.cancel()
        log.error("chore.cut_off", chore=chore.get_name())
    for chore in done:
        if not chore.cancelled() and (error := chore.exception()) is not None:
            log.error("chore.ended_badly", chore=chore.get_name(), exc_info=error)
