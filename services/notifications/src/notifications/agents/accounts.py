"""What auth tells of accounts goes to the use case that keeps who may be called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloom_events.auth import TherapistVerified, UserRegistered, UserReinstated, UserSuspended
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from notifications.use_cases.accounts import note_account
from service_kit.consuming import Handler
from service_kit.worker_database import UnitOfWorkFor

LISTENS_TO: tuple[type[Event], ...] = (UserRegistered, TherapistVerified, UserSuspended, UserReinstated)


def handlers(unit_of_work_for: UnitOfWorkFor) -> Mapping[type[Event], Handler]:
    """What is done about each kind of event."""

    async def note(cause: Envelope[Any]) -> None:
        await note_account(await unit_of_work_for(cause), cause)

    return dict.fromkeys(LISTENS_TO, note)
