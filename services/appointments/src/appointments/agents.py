"""Kafka in: what auth tells of accounts goes to the use case that keeps the directory in step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust

from appointments.use_cases import accounts
from appointments.use_cases.accounts import CONSUMER
from bloom_events.auth import TherapistVerified, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.topics import USERS
from service_kit.consuming import Consuming, Handler, Parker
from service_kit.faust_app import consume_topics
from service_kit.worker_database import UnitOfWorkFor

LISTENS_TO: tuple[type[Event], ...] = (TherapistVerified, UserSuspended, UserReinstated)


def handlers(unit_of_work_for: UnitOfWorkFor) -> Mapping[type[Event], Handler]:
    """What is done about each kind of event."""

    async def welcome(cause: Envelope[Any]) -> None:
        await accounts.welcome_therapist(await unit_of_work_for(cause), cause)

    async def hide(cause: Envelope[Any]) -> None:
        await accounts.note_suspension(await unit_of_work_for(cause), cause)

    async def show(cause: Envelope[Any]) -> None:
        await accounts.note_reinstatement(await unit_of_work_for(cause), cause)

    return {TherapistVerified: welcome, UserSuspended: hide, UserReinstated: show}


def following_accounts(unit_of_work_for: UnitOfWorkFor, parker: Parker) -> Consuming:
    """The consumer of accounts."""
    return Consuming(CONSUMER, handlers(unit_of_work_for), parker)


def register_agents(app: faust.App, consuming: Consuming) -> None:
    """Take whole fetches of the topic of accounts; a fetch is acknowledged when all of it is in the database."""
    consume_topics(app, consuming, [USERS.name])
