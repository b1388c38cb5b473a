"""What patients write, what the model says of it, and what became of alerts at open pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def handlers(
    unit_of_work_for: UnitOfWorkFor, *, patience: Patience, watchdog: Chore, clock: Clock = utc_now
) -> Mapping[type[Event], Handler]:
    """What is done about each kind of event; `watchdog` hears of every message until when it may wait for its score."""

    async def score(cause: Envelope[Any]) -> None:
        await messages.hear_score(await unit_of_work_for(cause), cause, now=clock())

    async def withdrawal(cause: Envelope[Any]) -> None:
        await messages.hear_withdrawal(await unit_of_work_for(cause), cause)

    async def message(cause: Envelope[Any]) -> None:
        heard = await messages.hear_message(await unit_of_work_for(cause), cause, patience=patience, now=clock())
        if heard is not None and heard.due_at is not None:
            watchdog.due_at(heard.due_at)

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
