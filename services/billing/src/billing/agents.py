"""Kafka in: every event of an appointment goes to the one use case that bills its visit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust

from billing.use_cases.visits import CONSUMER, bill_visit
from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentCorrected,
    AppointmentMissed,
    AppointmentRescheduled,
)
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.topics import APPOINTMENTS
from service_kit.consuming import Consuming, Handler, Parker
from service_kit.faust_app import consume_topics
from service_kit.unit_of_work import Clock, utc_now
from service_kit.worker_database import UnitOfWorkFor

LISTENS_TO: tuple[type[Event], ...] = (
    AppointmentBooked,
    AppointmentRescheduled,
    AppointmentConfirmed,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentMissed,
    AppointmentCorrected,
)


def handlers(unit_of_work_for: UnitOfWorkFor, clock: Clock = utc_now) -> Mapping[type[Event], Handler]:
    """What is done about each kind of event."""

    async def bill(cause: Envelope[Any]) -> None:
        await bill_visit(await unit_of_work_for(cause), cause, now=clock())

    return dict.fromkeys(LISTENS_TO, bill)


def billing_of(unit_of_work_for: UnitOfWorkFor, parker: Parker) -> Consuming:
    """The consumer of appointments."""
    return Consuming(CONSUMER, handlers(unit_of_work_for), parker)


def register_agents(app: faust.App, consuming: Consuming) -> None:
    """Take whole fetches of the topic of appointments; a fetch is acknowledged when all of it is in the database."""
    consume_topics(app, consuming, [APPOINTMENTS.name])
