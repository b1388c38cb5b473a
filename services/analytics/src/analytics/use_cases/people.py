"""Who has an account and which sessions run: kept beside the windows for the numbers of administrators."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from analytics.domain.metric import Happening
from analytics.repository.people import PeopleRepository
from bloom_events.auth import SessionRevoked, SessionStarted, UserRegistered
from bloom_events.event import Event
from service_kit.database import Connection

KINDS: tuple[type[Event], ...] = (UserRegistered, SessionStarted, SessionRevoked)
"""The events that say something about people and sessions."""


async def note_people(connection: Connection, happenings: Iterable[Happening]) -> None:
    """Write what events of one tenant, whose transaction this is, say about people and sessions; in any order, however often."""
    people: dict[UUID, tuple[UUID, str, datetime]] = {}
    ends: dict[UUID, datetime] = {}
    revoked: dict[UUID, datetime] = {}
    for happening in happenings:
        event, at = happening.data, happening.time
        match happening.type:
            case UserRegistered.TYPE:
                row = (event.user_id, str(event.role), at)
                people[event.user_id] = min(people.get(event.user_id, row), row, key=lambda each: (each[2], each[1]))
            case SessionStarted.TYPE:
                ends[event.session_id] = max(ends.get(event.session_id, event.expires_at), event.expires_at)
            case SessionRevoked.TYPE:
                revoked[event.session_id] = min(revoked.get(event.session_id, at), at)
    repository = PeopleRepository(connection)
    if people:
        await repository.registered(list(people.values()))
    if ends:
        await repository.started(list(ends.items()))
    if revoked:
        await repository.revoked(list(revoked.items()))
