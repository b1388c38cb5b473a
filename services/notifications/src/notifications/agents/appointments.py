"""What happens to appointments goes to the one use case that tells people of it and plans their reminders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from notifications.use_cases.visits import hear_of_visit
from service_kit.consuming import Handler
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

    async def hear(cause: Envelope[Any]) -> None:
        await hear_of_visit(await unit_of_work_for(cause), cause, now=clock())

    return dict.fromkeys(LISTENS_TO, hear)
