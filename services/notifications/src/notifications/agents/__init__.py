"""Kafka in: every event goes to its use cases. No handler waits for anything but PostgreSQL, for all topics share one reader.

What has to ask somebody else (auth, a provider) is kept as a row and done by a chore of the worker: an alert would otherwise wait
behind whatever that one waits for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import faust

from bloom_events.envelope import Envelope
from bloom_events.event import Event
from notifications.agents import accounts, appointments, contacts, crisis
from notifications.agents.fetches import Fetches
from notifications.domain.watch import Patience
from notifications.use_cases.consumer import CONSUMER
from service_kit.chores import Chore
from service_kit.consuming import Handler, Parker, decode_whole
from service_kit.consuming_fetches import FetchConsuming
from service_kit.faust_app import consume_fetches
from service_kit.worker_database import UnitOfWorkFor

LISTENS_TO: tuple[type[Event], ...] = tuple(
    dict.fromkeys((*crisis.LISTENS_TO, *accounts.LISTENS_TO, *contacts.LISTENS_TO, *appointments.LISTENS_TO))
)


def consuming(
    unit_of_work_for: UnitOfWorkFor, parker: Parker, *, patience: Patience, watchdog: Chore
) -> FetchConsuming[Envelope[Any]]:
    """The one consumer of everything that this service listens to."""
    every = (
        crisis.handlers(unit_of_work_for, patience=patience, watchdog=watchdog),
        accounts.handlers(unit_of_work_for),
        contacts.handlers(unit_of_work_for),
        appointments.handlers(unit_of_work_for),
    )
    alone = {event: _in_turn(event, every) for event in LISTENS_TO}
    hear_calm = crisis.hearing_calm(unit_of_work_for, patience=patience, watchdog=watchdog)
    return FetchConsuming(CONSUMER, LISTENS_TO, Fetches(alone, hear_calm), parker, decode=decode_whole)


def register_agents(app: faust.App, consumer: FetchConsuming[Envelope[Any]]) -> None:
    """Take whole fetches of all topics; a fetch is acknowledged when all of it is in the database."""
    consume_fetches(app, consumer, sorted({event.TOPIC.name for event in LISTENS_TO}))


def _in_turn(event: type[Event], every: Iterable[Mapping[type[Event], Handler]]) -> Handler:
    """All that is done about one kind of event; each part remembers for itself that it was done."""
    parts = [handlers[event] for handlers in every if event in handlers]
    if len(parts) == 1:
        return parts[0]

    async def each(cause: Envelope[Any]) -> None:
        for part in parts:
            await part(cause)

    return each
