"""Rows of weekly hours and of the exceptions to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from appointments.domain.availability import AvailabilityException, ExceptionKind, WeeklyHours
from appointments.domain.outcomes import AvailabilityExceptionNotFound
from appointments.domain.slots import Interval, Schedule
from appointments.domain.therapists import Therapist
from bloom_events.ids import TherapistId
from service_kit.database import Connection

_HOURS = """
    select weekday, opens_minute, closes_minute from weekly_hours where therapist_id = $1 order by weekday, opens_minute
"""
_ADD_HOURS = """
    insert into weekly_hours (therapist_id, weekday, opens_minute, closes_minute)
    select $1, * from unnest($2::smallint[], $3::smallint[], $4::smallint[])
"""
_ADD_EXCEPTION = """
    insert into availability_exceptions (id, therapist_id, kind, first_on, last_on, opens_minute, closes_minute)
    values ($1, $2, $3, $4, $5, $6, $7)
"""
# Both in one round trip: every booking needs them.
_SCHEDULES = """
    select therapist_id, weekday, null::uuid as id, null as kind, null::date as first_on, null::date as last_on,
        opens_minute, closes_minute
    from weekly_hours where therapist_id = any($1::uuid[])
    union all
    select therapist_id, null, id, kind, first_on, last_on, opens_minute, closes_minute
    from availability_exceptions where therapist_id = any($1::uuid[]) and first_on <= $3 and last_on >= $2
"""
_LIST_EXCEPTIONS = """
    select * from availability_exceptions
    where therapist_id = $1 and ($2::date is null or (first_on, id) > ($2, $3::uuid))
    order by first_on, id limit $4
"""
# Local days of any zone lie within this of the UTC day.
_ZONE_MARGIN = timedelta(days=2)


class AvailabilityRepository:
    """Reads and writes working hours within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list_hours(self, therapist_id: UUID) -> tuple[WeeklyHours, ...]:
        """The weekly pattern, in order."""
        return tuple(_hours(row) for row in await self._connection.fetch(_HOURS, therapist_id))

    async def replace_hours(self, therapist_id: TherapistId, week: Sequence[WeeklyHours]) -> None:
        """Puts a new weekly pattern in place of the old one."""
        await self._connection.execute("delete from weekly_hours where therapist_id = $1", therapist_id)
        columns = ([h.weekday for h in week], [h.opens for h in week], [h.closes for h in week])
        await self._connection.execute(_ADD_HOURS, therapist_id, *columns)

    async def add_exception(self, exception: AvailabilityException) -> None:
        """Writes a new exception."""
        e = exception
        await self._connection.execute(
            _ADD_EXCEPTION, e.id, e.therapist_id, e.kind.value, e.first_on, e.last_on, e.opens, e.closes
        )

    async def count_exceptions(self, therapist_id: TherapistId) -> int:
        """How many exceptions the therapist keeps."""
        query = "select count(*) from availability_exceptions where therapist_id = $1"
        return int(await self._connection.fetchval(query, therapist_id))

    async def list_exceptions(
        self, therapist_id: UUID, *, after: tuple[date, UUID] | None, limit: int
    ) -> list[AvailabilityException]:
        """The therapist's exceptions by first day, from behind `after` on."""
        first_on, last_id = after or (None, None)
        rows = await self._connection.fetch(_LIST_EXCEPTIONS, therapist_id, first_on, last_id, limit)
        return [_exception(row) for row in rows]

    async def remove_exception(self, therapist_id: UUID, exception_id: UUID) -> None:
        """Deletes an exception of this therapist; anybody else's is not found."""
        query = "delete from availability_exceptions where therapist_id = $1 and id = $2 returning true"
        if await self._connection.fetchval(query, therapist_id, exception_id) is None:
            raise AvailabilityExceptionNotFound

    async def schedules(self, therapists: Sequence[Therapist], within: Interval) -> dict[TherapistId, Schedule]:
        """The schedule of each therapist, with the exceptions that matter for the range."""
        first, last = within.start.date() - _ZONE_MARGIN, within.end.date() + _ZONE_MARGIN
        hours: dict[UUID, list[WeeklyHours]] = defaultdict(list)
        exceptions: dict[UUID, list[AvailabilityException]] = defaultdict(list)
        for row in await self._connection.fetch(_SCHEDULES, [therapist.id for therapist in therapists], first, last):
            if row["weekday"] is None:
                exceptions[row["therapist_id"]].append(_exception(row))
            else:
                hours[row["therapist_id"]].append(_hours(row))
        return {each.id: each.schedule(tuple(hours[each.id]), tuple(exceptions[each.id])) for each in therapists}


def _hours(row: asyncpg.Record) -> WeeklyHours:
    return WeeklyHours(row["weekday"], row["opens_minute"], row["closes_minute"])


def _exception(row: asyncpg.Record) -> AvailabilityException:
    return AvailabilityException(
        id=row["id"],
        therapist_id=TherapistId(row["therapist_id"]),
        kind=ExceptionKind(row["kind"]),
        first_on=row["first_on"],
        last_on=row["last_on"],
        opens=row["opens_minute"],
        closes=row["closes_minute"],
    )
