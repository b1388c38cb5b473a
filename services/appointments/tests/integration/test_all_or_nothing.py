"""A command that dies at any statement leaves nothing behind, and works when it is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import httpx
import pytest

from service_kit.testing import as_tenant

TABLES = (
    "therapists",
    "weekly_hours",
    "availability_exceptions",
    "appointments",
    "appointment_attendees",
    "idempotency_keys",
)
Command = Callable[[Any], Awaitable[httpx.Response]]


class DyingConnection:
    """A connection whose session ends right before its statement number `dies_at`; the commit counts as one."""

    def __init__(self, connection: Any, dies_at: int) -> None:
        self._connection = connection
        self._left = dies_at

    async def execute(self, *arguments: Any) -> Any:
        self._step()
        return await self._connection.execute(*arguments)

    async def fetch(self, *arguments: Any) -> Any:
        self._step()
        return await self._connection.fetch(*arguments)

    async def fetchrow(self, *arguments: Any) -> Any:
        self._step()
        return await self._connection.fetchrow(*arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        self._step()
        return await self._connection.fetchval(*arguments)

    def transaction(self) -> DyingTransaction:
        return DyingTransaction(self._connection.transaction(), self._step)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._connection.terminate()


class DyingTransaction:
    """A transaction of a dying connection."""

    def __init__(self, transaction: Any, step: Callable[[], None]) -> None:
        self._transaction = transaction
        self._step = step

    async def __aenter__(self) -> Any:
        return await self._transaction.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> Any:
        if kind is None:
            self._step()
        return await self._transaction.__aexit__(kind, error, trace)


async def all_rows(clinic: Any) -> dict[str, list[str]]:
    """Everything that the tenant has."""
    rows: dict[str, list[str]] = {}
    async with as_tenant(clinic.pool, clinic.tenant_id) as connection:
        for table in TABLES:
            rows[table] = sorted(str(row) for row in await connection.fetch(f"select * from {table}"))
    rows["outbox"] = [str(each) for each in await clinic.published()]
    return rows


async def dying(clinic: Any, dies_at: int, command: Command) -> httpx.Response:
    """Runs the command on a connection that dies at that statement."""
    kit, pool = clinic.app.state.kit, clinic.pool
    async with pool.acquire() as connection:
        kit.database = DyingConnection(connection, dies_at)
        try:
            return await command(clinic)
        finally:
            kit.database = pool


async def book(clinic: Any) -> httpx.Response:
    body = {"therapistId": str(clinic.robin.id), "visitType": "standard", **clinic.times()}
    answer: httpx.Response = await clinic.sam.post("/api/appointments", body, Idempotency_Key="once")
    return answer


async def move(clinic: Any) -> httpx.Response:
    answer: httpx.Response = await clinic.sam.post(f"{clinic.path}/reschedule", clinic.times(hours=5))
    return answer


async def cancel(clinic: Any) -> httpx.Response:
    answer: httpx.Response = await clinic.sam.post(f"{clinic.path}/cancel")
    return answer


async def change_profile(clinic: Any) -> httpx.Response:
    answer: httpx.Response = await clinic.robin.ask(
        "PATCH", "/api/therapists/me", json={"slotMinutes": 30}, headers={"If-Match": '"3"'}
    )
    return answer


async def change_hours(clinic: Any) -> httpx.Response:
    hours = {"hours": [{"weekday": 1, "opens": "10:00", "closes": "12:00"}]}
    answer: httpx.Response = await clinic.robin.ask(
        "PUT", "/api/therapists/me/availability", json=hours, headers={"If-Match": '"3"'}
    )
    return answer


async def add_holiday(clinic: Any) -> httpx.Response:
    body = {"kind": "closed", "firstOn": "2030-02-01", "lastOn": "2030-02-02"}
    answer: httpx.Response = await clinic.robin.post("/api/therapists/me/exceptions", body, Idempotency_Key="holiday")
    return answer


@pytest.mark.promise("AP9")
@pytest.mark.parametrize("command", [book, move, cancel, change_profile, change_hours, add_holiday])
async def test_a_command_that_dies_at_any_statement_leaves_nothing_behind(clinic: Any, command: Command) -> None:
    clinic.sam, clinic.robin = clinic.patient(), await clinic.therapist()
    visit = await clinic.book(clinic.sam, clinic.robin, hours=3)
    clinic.path = f"/api/appointments/{visit['id']}"
    before, deaths = await all_rows(clinic), 0
    while (answer := await dying(clinic, deaths + 1, command)).status_code >= 500:
        deaths += 1
        assert await all_rows(clinic) == before
        assert deaths < 40
    assert answer.status_code in {200, 201}
    assert deaths >= 4
    assert await all_rows(clinic) != before


async def test_a_booking_that_died_is_answered_the_same_ever_after_it_worked(clinic: Any) -> None:
    clinic.sam, clinic.robin = clinic.patient(), await clinic.therapist()
    assert (await dying(clinic, 8, book)).status_code >= 500
    first, again = await book(clinic), await book(clinic)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert len(await clinic.published("appointment.booked.v1")) == 1
