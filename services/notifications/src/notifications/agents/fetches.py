"""A fetch in few transactions: what calls nobody is taken together, everything else one by one, in the order of its partition.

Most of what comes are messages and scores that call nobody. One transaction each for them kept a core busy with begin and commit.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.trace import SpanKind

from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.ids import TenantId
from notifications.agents.crisis import HearCalm
from notifications.use_cases.messages import is_calm
from service_kit.consuming import Handler
from service_kit.consuming_fetches import Taken
from service_kit.tracing import span, started_span

MOST_TOGETHER = 500
"""Events to a transaction: after a pause a fetch holds thousands, and what raises an alert stands behind them."""


class Fetches:
    """What is done about a fetch; it may be told again, and every event is handled once."""

    def __init__(self, handlers: Mapping[type[Event], Handler], hear_calm: HearCalm) -> None:
        self._handlers = handlers
        self._hear_calm = hear_calm

    async def take(self, taken: Sequence[Taken[Envelope[Any]]]) -> None:
        """Take all that calls nobody up to what does, then that; partitions beside each other, each in its order."""
        partitions: defaultdict[tuple[str, int], deque[Envelope[Any]]] = defaultdict(deque)
        for record, envelope in taken:
            partitions[record.topic, record.partition].append(envelope)
        waiting = list(partitions.values())
        while any(waiting):
            calm = [cause for queue in waiting for cause in _leading(queue, is_so=True)]
            for start in range(0, len(calm), MOST_TOGETHER):
                await self._together(calm[start : start + MOST_TOGETHER])
            await _beside_each_other(self._one_by_one(list(_leading(queue, is_so=False))) for queue in waiting if queue)

    async def take_again(self, taken: Taken[Envelope[Any]]) -> None:
        """Do the same for a record that was parked: everything here may come late."""
        await self.take([taken])

    async def _together(self, causes: Sequence[Envelope[Any]]) -> None:
        by_tenant: defaultdict[TenantId, list[Envelope[Any]]] = defaultdict(list)
        for cause in causes:
            by_tenant[cause.tenant_id].append(cause)
        # Each event goes on with its own trace, though they share the work.
        spans = [started_span(_name(cause), kind=SpanKind.CONSUMER, traceparent=cause.traceparent)[0] for cause in causes]
        try:
            await _beside_each_other(self._hear_calm(theirs) for theirs in by_tenant.values())
        finally:
            for opened in spans:
                opened.end()

    async def _one_by_one(self, causes: Sequence[Envelope[Any]]) -> None:
        for cause in causes:
            with span(_name(cause), kind=SpanKind.CONSUMER, traceparent=cause.traceparent):
                await self._handlers[type(cause.data)](cause)


def _leading(queue: deque[Envelope[Any]], *, is_so: bool) -> Iterator[Envelope[Any]]:
    """Take from the front what calls nobody, or what is not of that kind."""
    while queue and is_calm(queue[0].data) is is_so:
        yield queue.popleft()


def _name(cause: Envelope[Any]) -> str:
    return f"handle {cause.type}"


async def _beside_each_other(works: Iterable[Awaitable[None]]) -> None:
    """Do all of it; what fails keeps nothing else from being done, and is raised after that."""
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
