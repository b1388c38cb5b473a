"""How many people an organisation has and how many sessions run, out of what auth has told of both."""

from __future__ import annotations

from datetime import datetime

from analytics.domain.stats import Stats
from service_kit.database import Connection

_COUNT = """
    select count(*) as everybody,
           count(*) filter (where role = 'THERAPIST') as therapists,
           count(*) filter (where role = 'PATIENT') as patients,
           count(*) filter (where registered_at > $1) as new,
           (select count(*) from sessions where revoked_at is null and expires_at > $2) as sessions
    from people
"""


async def count_people(connection: Connection, *, since: datetime, now: datetime) -> Stats:
    """The tenant's numbers; new are those who registered after `since`, a session runs until it expires or is revoked."""
    row = await connection.fetchrow(_COUNT, since, now)
    if row is None:
        raise LookupError("a count without a group is always one row")
    return Stats(
        total_users=row["everybody"],
        therapists=row["therapists"],
        patients=row["patients"],
        active_sessions=row["sessions"],
        new_this_week=row["new"],
        as_of=now,
    )
