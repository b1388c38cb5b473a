"""Kafka in: what other services tell goes to the use case that follows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust

from bloom_events.alerts import (
    AlertAcknowledged,
    AlertEscalated,
    AlertExtended,
    AlertHandedOver,
    AlertRaised,
    AlertResolved,
)
from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentCorrected,
    AppointmentMissed,
    AppointmentRescheduled,
)
from bloom_events.auth import SessionRevoked, TherapistVerified, UserRegistered, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.topics import ALERTS, APPOINTMENTS, SESSIONS, USERS
from messaging.clients.wake import Waker
from messaging.use_cases import following
from messaging.use_cases.following import CONSUMER
from service_kit.consuming import Consuming, Handler, Parker
from service_kit.faust_app import consume_topics
from service_kit.unit_of_work import UnitOfWork
from service_kit.worker_database import UnitOfWorkFor

USERS_HEARD = (UserRegistered, TherapistVerified, UserSuspended, UserReinstated)
VISITS_HEARD = (
    AppointmentBooked,
    AppointmentRescheduled,
    AppointmentConfirmed,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentMissed,
    AppointmentCorrected,
)
ALERTS_HEARD = (AlertRaised, AlertExtended, AlertEscalated, AlertAcknowledged, AlertHandedOver, AlertResolved)
LISTENS_TO: tuple[type[Event], ...] = (*USERS_HEARD, SessionRevoked, *VISITS_HEARD, *ALERTS_HEARD)
TOPICS = (USERS, SESSIONS, APPOINTMENTS, ALERTS)

GetWaker = Callable[[], Awaitable[Waker]]
"""Gives the worker's waker, which can be made only where its event loop runs."""


def handlers(unit_of_work_for: UnitOfWorkFor, waker: GetWaker) -> Mapping[type[Event], Handler]:
    """What is done about each kind of event."""

    def plainly(use_case: Callable[[UnitOfWork, Envelope[Any]], Awaitable[None]]) -> Handler:
        async def handle(cause: Envelope[Any]) -> None:
            await use_case(await unit_of_work_for(cause), cause)

        return handle

    def waking(use_case: Callable[[UnitOfWork, Envelope[Any], Waker], Awaitable[None]]) -> Handler:
        async def handle(cause: Envelope[Any]) -> None:
            await use_case(await unit_of_work_for(cause), cause, await waker())

        return handle

    return {
        UserRegistered: plainly(following.note_registration),
        TherapistVerified: plainly(following.note_verification),
        UserReinstated: plainly(following.note_reinstatement),
        UserSuspended: waking(following.note_suspension),
        SessionRevoked: waking(following.note_ended_session),
        **dict.fromkeys(VISITS_HEARD, plainly(following.note_visit)),
        **dict.fromkeys(ALERTS_HEARD, waking(following.note_alert)),
    }


def following_others(unit_of_work_for: UnitOfWorkFor, waker: GetWaker, parker: Parker) -> Consuming:
    """The consumer of people, sessions, appointments and alerts."""
    return Consuming(CONSUMER, handlers(unit_of_work_for, waker), parker)


def register_agents(app: faust.App, consuming: Consuming) -> None:
    """Take whole fetches of each topic; a fetch is acknowledged when all of it is in the database."""
    consume_topics(app, consuming, [topic.name for topic in TOPICS])
