"""Kafka in: messages in batches, what happens to conversations one by one, and what the worker does by the clock beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakSet

import faust

from bloom_events.envelope import Envelope, to_kafka
from bloom_events.event import Event
from bloom_events.ids import EventId
from bloom_events.messaging import (
    ConversationKeyDestroyed,
    ConversationMemberJoined,
    ConversationMemberLeft,
    MessageDeleted,
    MessageEdited,
    MessageSent,
)
from bloom_events.topics import CONVERSATIONS, MESSAGES
from ml_scoring.clients import meters
from ml_scoring.domain.analyses import changed_at
from ml_scoring.domain.waiting import Place, Received
from ml_scoring.use_cases import conversations, live_models, scoring, waiting
from ml_scoring.use_cases.scoring import CONSUMER, Examined, Park, ScoringTools
from service_kit.chores import Chore
from service_kit.consuming import Consuming, Handler, LogRecord, Parker
from service_kit.consuming_batches import BatchConsuming, Delivery
from service_kit.faust_app import consume_batches, consume_topics
from service_kit.worker_database import UnitOfWorkFor

LISTENS_TO: tuple[type[Event], ...] = (
    MessageSent,
    MessageEdited,
    MessageDeleted,
    ConversationMemberJoined,
    ConversationMemberLeft,
    ConversationKeyDestroyed,
)
_MESSAGES = LISTENS_TO[:3]

Tell = Callable[[datetime], None]


@dataclass(eq=False, slots=True, weakref_slot=True)
class Batch:
    """A batch in work: since when its oldest message has been on its way, and what it came to."""

    oldest: datetime
    examined: Examined


class MessageBatches:
    """What is done about a batch of messages: examined first, beside other batches, and written in turn."""

    def __init__(self, tools: ScoringTools, tell: Tell) -> None:
        self._tools = tools
        self._tell = tell
        # Weak, so that a batch that is given up during a rebalance is not counted for ever.
        self._in_work: WeakSet[Batch] = WeakSet()
        meters.OLDEST_IN_HAND_SECONDS.set_function(self._oldest_seconds)

    async def prepare(self, deliveries: Sequence[Delivery]) -> Batch:
        now = self._tools.clock()
        received = [
            Received(each.envelope, Place(each.record.partition, each.record.offset), now, each.traceparent)
            for each in deliveries
        ]
        batch = Batch(min(changed_at(each.cause.data) for each in received), Examined())
        self._in_work.add(batch)
        batch.examined = await scoring.examine(self._tools, await scoring.skip_seen(self._tools, received))
        return batch

    async def write(self, batch: Batch) -> dict[EventId, str]:
        if due_at := await scoring.record(self._tools, batch.examined):
            self._tell(due_at)
        return {received.cause.id: reason for received, reason in batch.examined.refused}

    def _oldest_seconds(self) -> float:
        now = self._tools.clock()
        return max((max(0.0, (now - batch.oldest).total_seconds()) for batch in list(self._in_work)), default=0.0)


def parking(parker: Parker) -> Park:
    """Parks a message that had waited as the record that it was."""

    async def park(received: Received, reason: str) -> None:
        message, place = to_kafka(received.cause), received.place
        record = LogRecord(
            message.topic, place.partition, place.offset, message.timestamp_ms, message.key, message.value, message.headers
        )
        await parker.park(record, reason)

    return park


def messages_of(tools: ScoringTools, parker: Parker, tell: Tell, *, batch_size: int) -> BatchConsuming[Batch]:
    """The consumer of messages; `tell` hears when one that waits is to be tried again."""
    return BatchConsuming(CONSUMER, _MESSAGES, MessageBatches(tools, tell), parker, batch_size=batch_size)


def conversations_of(tools: ScoringTools, unit_of_work_for: UnitOfWorkFor, parker: Parker, tell: Tell) -> Consuming:
    """The consumer of conversations; `tell` hears when messages that wait are to be tried."""

    async def member(cause: Envelope[Any]) -> None:
        await conversations.hear_member(await unit_of_work_for(cause), cause)

    async def destroyed(cause: Envelope[Any]) -> None:
        now = tools.clock()
        await conversations.forget_keys(await unit_of_work_for(cause), tools.keys, cause, now=now)
        tell(now)

    handlers: dict[type[Event], Handler] = {
        ConversationMemberJoined: member,
        ConversationMemberLeft: member,
        ConversationKeyDestroyed: destroyed,
    }
    return Consuming(CONSUMER, handlers, parker)


def register_agents(app: faust.App, messages: BatchConsuming[Batch], about_conversations: Consuming) -> None:
    """Take whole fetches of both topics; a fetch is acknowledged when all of it is in the database."""
    consume_batches(app, messages, [MESSAGES.name])
    consume_topics(app, about_conversations, [CONVERSATIONS.name])


def waiting_chore(tools: ScoringTools) -> Chore:
    """Tries waiting messages when they are due."""

    async def try_waiting(_now: datetime) -> datetime | None:
        figures = await waiting.try_waiting(tools)
        return figures.next_try_at if tools.shelf.is_ready else None

    return Chore("waiting", try_waiting, clock=tools.clock)


def models_chore(tools: ScoringTools, *, poll_seconds: float) -> Chore:
    """Follows the choice of models."""

    async def follow_choices(now: datetime) -> None:
        await live_models.follow_choices(await tools.pool(), tools.shelf, tools.unit_of, now=now)

    return Chore("models", follow_choices, clock=tools.clock, look_seconds=poll_seconds)
