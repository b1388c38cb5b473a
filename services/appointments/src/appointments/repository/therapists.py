"""Rows of the therapist directory."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from appointments.domain.outcomes import TherapistNotFound
from appointments.domain.therapists import DirectoryFilter, Profile, Therapist
from bloom_events.ids import EventId, TherapistId
from service_kit.database import Connection

_SELECT = """
    select t.*, coalesce(s.is_suspended, false) as is_suspended
    from therapists t left join therapist_standings s on s.tenant_id = t.tenant_id and s.therapist_id = t.id
"""
_BY_ID = _SELECT + "where t.id = $1"
_LOCKED_BY_ID = _BY_ID + " for no key update of t"
_INSERT = """
    insert into therapists (id, display_name, accepts_new_patients, time_zone, slot_minutes, buffer_before_minutes,
                            buffer_after_minutes, languages, specialties, revision)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning true
"""
_UPDATE = """
    update therapists set display_name = $2, accepts_new_patients = $3, time_zone = $4, slot_minutes = $5,
        buffer_before_minutes = $6, buffer_after_minutes = $7, languages = $8, specialties = $9, revision = $10,
        updated_at = clock_timestamp()
    where id = $1
"""
_LIST = (
    _SELECT
    + """
    where not coalesce(s.is_suspended, false)
      and ($1::boolean is null or t.accepts_new_patients = $1)
      and ($2::text is null or $2 = any(t.languages))
      and ($3::text is null or $3 = any(t.specialties))
      and ($4::text is null or (t.display_name, t.id) > ($4, $5::uuid))
    order by t.display_name, t.id limit $6
"""
)
# Ids of events grow with time, so they decide between two events of the same moment.
_SET_STANDING = """
    insert into therapist_standings as s (therapist_id, is_suspended, changed_at, event_id) values ($1, $2, $3, $4)
    on conflict (tenant_id, therapist_id) do update
    set is_suspended = excluded.is_suspended, changed_at = excluded.changed_at, event_id = excluded.event_id
    where (excluded.changed_at, excluded.event_id) > (s.changed_at, s.event_id)
"""


class TherapistRepository:
    """Reads and writes therapists within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, therapist: Therapist) -> bool:
        """Whether the therapist is new; a known one stays as it is."""
        added = await self._connection.fetchval(_INSERT, therapist.id, *_columns(therapist))
        return added is True

    async def save(self, therapist: Therapist) -> None:
        """Writes a therapist that this transaction has locked."""
        await self._connection.execute(_UPDATE, therapist.id, *_columns(therapist))

    async def get(self, therapist_id: UUID) -> Therapist:
        """The therapist, suspended or not."""
        return _therapist(await self._connection.fetchrow(_BY_ID, therapist_id))

    async def get_active(self, therapist_id: UUID) -> Therapist:
        """The therapist as the directory shows it; a suspended one is not found."""
        return _active(await self.get(therapist_id))

    async def lock(self, therapist_id: UUID) -> Therapist:
        """The therapist, held until the end of the transaction: bookings and changes of the schedule go one after the other."""
        return _therapist(await self._connection.fetchrow(_LOCKED_BY_ID, therapist_id))

    async def lock_active(self, therapist_id: UUID) -> Therapist:
        """The same for a therapist whom the directory shows."""
        return _active(await self.lock(therapist_id))

    async def list_active(self, wanted: DirectoryFilter, *, after: tuple[str, UUID] | None, limit: int) -> list[Therapist]:
        """Therapists whom the directory shows, by name, from behind `after` on."""
        name, last_id = after or (None, None)
        rows = await self._connection.fetch(
            _LIST, wanted.accepts_new_patients, wanted.language, wanted.specialty, name, last_id, limit
        )
        return [_therapist(row) for row in rows]

    async def set_standing(
        self, therapist_id: TherapistId, *, is_suspended: bool, changed_at: datetime, event_id: EventId
    ) -> None:
        """Remembers the latest suspension or reinstatement; an older one changes nothing."""
        await self._connection.execute(_SET_STANDING, therapist_id, is_suspended, changed_at, event_id)


def _columns(therapist: Therapist) -> tuple[object, ...]:
    profile = therapist.profile
    return (
        profile.display_name,
        profile.accepts_new_patients,
        profile.time_zone,
        profile.slot_minutes,
        profile.buffer_before_minutes,
        profile.buffer_after_minutes,
        list(profile.languages),
        list(profile.specialties),
        therapist.revision,
    )


def _therapist(row: asyncpg.Record | None) -> Therapist:
    if row is None:
        raise TherapistNotFound
    profile = Profile(
        display_name=row["display_name"],
        accepts_new_patients=row["accepts_new_patients"],
        time_zone=row["time_zone"],
        slot_minutes=row["slot_minutes"],
        buffer_before_minutes=row["buffer_before_minutes"],
        buffer_after_minutes=row["buffer_after_minutes"],
        languages=tuple(row["languages"]),
        specialties=tuple(row["specialties"]),
    )
    return Therapist(TherapistId(row["id"]), profile, row["revision"], row["is_suspended"])


def _active(therapist: Therapist) -> Therapist:
    if therapist.is_suspended:
        raise TherapistNotFound
    return therapist
