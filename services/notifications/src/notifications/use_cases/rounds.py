"""The worker's rounds: send what is due, turn reminders whose time has come into intents, ask auth about people.

Any number of workers may go their rounds at a time: whoever takes something locks it, and the others pass over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from bloom_events.ids import TenantId
from notifications.use_cases import contacts, sending, visits
from notifications.use_cases.contacts import ContactBook
from notifications.use_cases.failpoints import Failpoint, unarmed
from notifications.use_cases.sending import Errand, Post
from service_kit.database import Pool
from service_kit.logs import describe_exception, get_logger
from service_kit.unit_of_work import Clock, Context, UnitOfWork

_log = get_logger(__name__)

MOST_AT_A_LOOK = 50
MOST_QUESTIONS = 8
"""So many people auth is asked about at a time."""

Turns: TypeAlias = list[tuple[TenantId, datetime]]


class Database(Protocol):
    """The worker's database: its pool, and units of work of any tenant."""

    async def pool(self) -> Pool: ...

    async def unit_of(self, tenant_id: TenantId, correlation_id: UUID | None = None) -> UnitOfWork: ...


@dataclass
class SendingRounds:
    """Serves one channel: so many letters at a time as it has places, the most urgent first.

    A letter whose provider is slow holds one place and nothing else. `free` is told when a place becomes free.
    """

    post: Post
    database: Database
    places: int
    clock: Clock
    failpoint: Failpoint = unarmed
    free: Callable[[datetime], None] | None = None
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def work(self, now: datetime) -> datetime | None:
        """Start on what is due, and return when the next is; None while all places are taken."""
        failures: list[Exception] = []
        following: datetime | None = None
        for tenant_id, due_at in await sending.whose_turn(await self.database.pool(), self.post.channel, now):
            left = self.places - len(self._under_way)
            if left <= 0:
                break
            if due_at > now:
                following = due_at
                break
            try:
                await self._take_from(tenant_id, left, now)
            except Exception as error:  # kept until the others had their turn
                failures.append(error)
        if failures:
            raise failures[0]
        return following

    async def _take_from(self, tenant_id: TenantId, most: int, now: datetime) -> None:
        uow = await self.database.unit_of(tenant_id)
        for errand in await sending.claim(uow, self.post, most=most, now=now):
            self._start(errand)

    async def end(self) -> None:
        """Finish what is under way; what does not end is asked about by whoever comes next."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self.post.timing.call.total_seconds())
        if self.post.provider is not None:
            await self.post.provider.close()

    def _start(self, errand: Errand) -> None:
        carrying = sending.carry_out(errand, self.post, self._unit_in, clock=self.clock, failpoint=self.failpoint)
        task = asyncio.create_task(carrying)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # It stays claimed until its lease is over; then its provider is asked.
            _log.error("notification.left_open", channel=self.post.channel, failure=describe_exception(error))
        if self.free is not None:
            self.free(self.clock())

    async def _unit_in(self, context: Context) -> UnitOfWork:
        return (await self.database.unit_of(context.tenant_id)).on_behalf_of(context)


async def remind_due(database: Database, now: datetime) -> datetime | None:
    """Turn reminders whose time has come into intents, and return when the next one's will be."""

    async def remind(uow: UnitOfWork) -> int:
        return await visits.remind(uow, most=MOST_AT_A_LOOK, now=now)

    turns = await visits.whose_turn(await database.pool(), now)
    return await _each_in_turn(database, turns, remind, now, most=MOST_AT_A_LOOK)


async def ask_due(database: Database, book: ContactBook, now: datetime) -> datetime | None:
    """Ask auth about people of whom it has something new to say, and return when the next question is due."""

    async def ask(uow: UnitOfWork) -> int:
        return await contacts.ask_for_contacts(uow, book, most=MOST_QUESTIONS, now=now)

    turns = await contacts.whose_turn(await database.pool(), now)
    return await _each_in_turn(database, turns, ask, now, most=MOST_QUESTIONS)


async def _each_in_turn(
    database: Database, turns: Turns, work: Callable[[UnitOfWork], Awaitable[int]], now: datetime, *, most: int
) -> datetime | None:
    """Do the work of each tenant that is due; at once again when one of them had more than fits into a look.

    One tenant's failure keeps no other from its turn, and is raised after them.
    """
    following: datetime | None = None
    failures: list[Exception] = []
    for tenant_id, due_at in turns:
        if due_at > now:
            following = following or due_at
            continue
        try:
            if await work(await database.unit_of(tenant_id)) == most:
                following = now
        except Exception as error:  # kept until the others had their turn
            failures.append(error)
    if failures:
        raise failures[0]
    return following
