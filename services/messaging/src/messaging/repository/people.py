"""Rows of what other services tell: accounts, care relationships, ended sessions, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from bloom_events.auth import Role
from messaging.domain.alerts import AlertState, Origin
from messaging.domain.people import AccountStatus, CareVisit, Person
from service_kit.database import Connection

_SAVE_PERSON = """
    insert into people (user_id, role, status, changed_at) values ($1, $2, $3, $4)
    on conflict (tenant_id, user_id) do update
        set role = excluded.role, status = excluded.status, changed_at = excluded.changed_at
        where people.changed_at <= excluded.changed_at
"""
_PEOPLE = "select user_id, role, status, changed_at from people where user_id = any($1::uuid[])"
_SAVE_VISIT = """
    insert into care_relationships (appointment_id, patient_id, therapist_id, stands, revision) values ($1, $2, $3, $4, $5)
    on conflict (tenant_id, appointment_id) do update
        set patient_id = excluded.patient_id, therapist_id = excluded.therapist_id, stands = excluded.stands,
            revision = excluded.revision
        where care_relationships.revision < excluded.revision
"""
_ARE_IN_CARE = "select exists (select from care_relationships where patient_id = $1 and therapist_id = $2 and stands)"
# Old rows go with new ones, a few at a time: whoever reads the topic from its beginning leaves none behind.
_END_SESSION = """
    with old as (
        delete from ended_sessions where session_id in (
            select session_id from ended_sessions where ended_at < $4 order by ended_at limit 10)
    )
    insert into ended_sessions (session_id, user_id, ended_at) values ($1, $2, $3) on conflict do nothing
"""
_SAVE_PUSH = """
    insert into alert_pushes (alert_id, user_id, conversation_id, patient_id, state, level, step, deadline, revision, changed_at,
        correlation_id, causation_id, traceparent)
    select $1::uuid, notified, $3::uuid, $4::uuid, $5, $6, $7, $8::timestamptz, $9::int, $10::timestamptz,
        $11::uuid, $12::uuid, $13
    from unnest($2::uuid[]) as notified order by notified
    on conflict (tenant_id, alert_id, user_id) do update
        set state = excluded.state, level = excluded.level, step = coalesce(excluded.step, alert_pushes.step),
            deadline = excluded.deadline, revision = excluded.revision, changed_at = excluded.changed_at,
            correlation_id = excluded.correlation_id, causation_id = excluded.causation_id, traceparent = excluded.traceparent
        where alert_pushes.revision < excluded.revision
    returning user_id
"""

KEEP_ENDED_SESSIONS = timedelta(days=2)
"""Longer than any token of a session can be valid after its end."""


class PeopleRepository:
    """Reads and writes within one transaction; of two events about the same thing the later one counts, however they come."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, person: Person) -> None:
        """Notes an account, unless something later is known of it."""
        await self._connection.execute(_SAVE_PERSON, person.user_id, person.role.value, person.status.value, person.changed_at)

    async def find(self, user_ids: Sequence[UUID]) -> dict[UUID, Person]:
        """Those of the accounts that are known."""
        return {row["user_id"]: _person(row) for row in await self._connection.fetch(_PEOPLE, user_ids)}

    async def save_visit(self, visit: CareVisit) -> None:
        """Notes an appointment, unless a later revision of it is known."""
        facts = (visit.appointment_id, visit.patient_id, visit.therapist_id, visit.stands, visit.revision)
        await self._connection.execute(_SAVE_VISIT, *facts)

    async def are_in_care(self, patient_id: UUID, therapist_id: UUID) -> bool:
        """Whether the two have an appointment together that was not called off."""
        return bool(await self._connection.fetchval(_ARE_IN_CARE, patient_id, therapist_id))

    async def end_session(self, session_id: UUID, user_id: UUID, ended_at: datetime) -> None:
        """Notes the end of a session, and forgets old ones."""
        await self._connection.execute(_END_SESSION, session_id, user_id, ended_at, ended_at - KEEP_ENDED_SESSIONS)

    async def save_alert(self, alert: AlertState, origin: Origin) -> list[UUID]:
        """Notes an alert's state for everybody who is told of it; gives those for whom it is news."""
        facts = (alert.alert_id, alert.notify, alert.conversation_id, alert.patient_id, alert.state.value, alert.level.value)
        step = alert.step.value if alert.step else None
        when = (alert.deadline, alert.revision, alert.changed_at)
        whence = (origin.correlation_id, origin.causation_id, origin.traceparent)
        rows = await self._connection.fetch(_SAVE_PUSH, *facts, step, *when, *whence)
        return [row["user_id"] for row in rows]


def _person(row: asyncpg.Record) -> Person:
    return Person(row["user_id"], Role(row["role"]), AccountStatus(row["status"]), row["changed_at"])
