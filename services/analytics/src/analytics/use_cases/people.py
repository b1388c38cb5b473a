"""Who has an account and which sessions run: kept beside the windows for the numbers of administrators."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from analytics.repository.people import PeopleRepository
from bloom_events.auth import SessionRevoked, SessionStarted, UserRegistered
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from service_kit.database import Connection

KINDS: tuple[type[Event], ...] = (UserRegistered, SessionStarted, SessionRevoked)
"""The events that say something about people and sessions."""


async def note_people(connection: Connection, envelopes: Iterable[Envelope[Any]]) -> None:
    """Write what events of one tenant, whose transaction this is, say about people and sessions; in any order, however often."""
    people: dict[UUID, tuple[UUID, str, datetime]] = {}
    ends: dict[UUID, datetime] = {}
    revoked: dict[UUID, datetime] = {}
    for envelope in envelopes:
        match envelope.data:
            case UserRegistered(user_id=user_id, role=role):
                row = (user_id, role.value, envelope.time)
                people[user_id] = min(people.get(user_id, row), row, key=lambda each: (each[2], each[1]))
            case SessionStarted(session_id=session_id, expires_at=expires_at):
                ends[session_id] = max(ends.get(session_id, expires_at), expires_at)
            case SessionRevoked(session_id=session_id):
                revoked[session_id] = min(revoked.get(session_id, envelope.time), envelope.time)
    repository = PeopleRepository(connection)
    if people:
        await repository.registered(list(people.values()))
    if ends:
        await repository.started(list(ends.items()))
    if revoked:
        await repository.revoked(list(revoked.items()))
