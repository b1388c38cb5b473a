"""What lies in the database of analytics when its API is tried: windows of two practices, and of two therapists of one."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.contract.live import Live, Person

_SERIES = "insert into series (metric, dimensions) values ($1, $2) returning id"
_WINDOW = """
    insert into windows (series_id, span, starts_at, ends_at, n, total, revision, changed_at)
    values ($1, 'day', $2, $3, $4, 0, 1, null)
"""
SECRET = 271_828
"""How many appointments the other practice has, which stands in no answer to this one."""


async def _count(live: Live, tenant: UUID, n: int, dimensions: str = "{}") -> None:
    today = live.clock().replace(hour=0, minute=0, second=0, microsecond=0)
    async with live.uow(tenant).begin() as transaction:
        series = await transaction.connection.fetchval(_SERIES, "appointments.booked", dimensions)
        await transaction.connection.execute(_WINDOW, series, today, today + timedelta(days=1), n)


def plant_windows(live: Live) -> None:
    """Windows of this practice, of its therapist and of a colleague, and of another practice."""
    ours, theirs = uuid4(), uuid4()
    me, colleague = uuid4(), uuid4()
    planted: list[tuple[UUID, int, str]] = [
        (ours, 12, "{}"),
        (ours, 7, f'{{"therapist_id":"{me}"}}'),
        (ours, 5, f'{{"therapist_id":"{colleague}"}}'),
        (theirs, SECRET, "{}"),
    ]
    for tenant, n, dimensions in planted:
        live.run(_count(live, tenant, n, dimensions))
    known: dict[str, Any] = {"metric": ["appointments.booked"], "step": ["day"], "from": ["2030-01-01T00:00:00Z"]}
    asked = {"own": known, "secrets": (str(SECRET), str(theirs))}
    live.people = {
        "PATIENT": Person(live.bearer("PATIENT", ours, uuid4()), **asked),
        "THERAPIST": Person(live.bearer("THERAPIST", ours, me), **{**asked, "secrets": (*asked["secrets"], str(colleague))}),
        "ADMINISTRATOR": Person(live.bearer("ADMINISTRATOR", ours, uuid4()), **asked),
    }
