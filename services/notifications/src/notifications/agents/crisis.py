"""What patients write, what the model says of it, and what became of alerts at open pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.messaging import AlertPushed, AlertSeen, MessageDeleted, MessageEdited, MessageSent
from bloom_events.risk import RiskScored, RiskWithdrawn
from notifications.domain.watch import Patience
from notifications.use_cases import messages
from notifications.use_cases.alerts import note_push
from service_kit.chores import Chore
from service_kit.consuming import Handler
from service_kit.unit_of_work import Clock, utc_now
from service_kit.worker_database import UnitOfWorkFor

LISTENS_TO: tuple[type[Event], ...] = (
    RiskScored,
    RiskWithdrawn,
    MessageSent,
    MessageEdited,
    MessageDeleted,
    AlertPushed,
    AlertSeen,
)

HearCalm: TypeAlias = Callable[[Sequence[Envelope[Any]]], Awaitable[None]]
"""Takes events of one organisation that call nobody, in the order of the log."""


def hearing_calm(unit_of_work_for: UnitOfWorkFor, *, patience: Patience, watchdog: Chore, clock: Clock = utc_now) -> HearCalm:
    """What is done about many events that call nobody: one transaction for all of an organisation.

    `watchdog` hears of messages until when they may wait for their scores.
    """

    async def hear(causes: Sequence[Envelope[Any]]) -> None:
        # They publish nothing, so it does not matter whose correlation the unit of work has.
        uow = await unit_of_work_for(causes[0])
        due_at = await messages.hear_calm(uow, causes, patience=patience, now=clock())
        if due_at is not None:
            watchdog.due_at(due_at)

    return hear


def handlers(
    unit_of_work_for: UnitOfWorkFor, *, patience: Patience, watchdog: Chore, clock: Clock = utc_now
) -> Mapping[type[Event], Handler]:
    """What is done about each kind of event that comes alone; what calls nobody goes the way of `hearing_calm`."""
    hear_calm = hearing_calm(unit_of_work_for, patience=patience, watchdog=watchdog, clock=clock)

    async def score(cause: Envelope[Any]) -> None:
        await messages.hear_score(await unit_of_work_for(cause), cause, now=clock())

    async def withdrawal(cause: Envelope[Any]) -> None:
        await messages.hear_withdrawal(await unit_of_work_for(cause), cause)

    async def message(cause: Envelope[Any]) -> None:
        await hear_calm([cause])

    async def deletion(cause: Envelope[Any]) -> None:
        await messages.hear_deletion(await unit_of_work_for(cause), cause)

    async def push(cause: Envelope[Any]) -> None:
        await note_push(await unit_of_work_for(cause), cause)

    return {
        RiskScored: score,
        RiskWithdrawn: withdrawal,
        MessageSent: message,
        MessageEdited: message,
        MessageDeleted: deletion,
        AlertPushed: push,
        AlertSeen: push,
    }
