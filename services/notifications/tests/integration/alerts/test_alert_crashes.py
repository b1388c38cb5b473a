"""A crash between any two statements: nothing of the command is left, and the same command then works as if it were the first."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bloom_events.alerts import ChainStep
from bloom_events.risk import RiskLevel
from notifications.domain.chain import Deadlines, Successor
from notifications.repository.deadlines import DueAlert
from notifications.use_cases import alerts, by_the_clock, chains, messages
from service_kit.unit_of_work import Transaction, UnitOfWork

TABLES = (
    "alert_chains", "alert_deadlines", "watched_messages", "message_endings", "alerts", "alert_messages", "alert_people",
    "alert_changes",
)  # fmt: skip
Command = Callable[[Any], Awaitable[object]]


class ProcessDiedError(Exception):
    """The process died."""


class CountingConnection:
    """A connection that lets so many statements through and dies at the next one."""

    def __init__(self, connection: Any, allowed: int) -> None:
        self._connection = connection
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in {"execute", "executemany", "fetch", "fetchrow", "fetchval"}:
            return method

        async def counted(*arguments: Any) -> Any:
            if self._allowed == 0:
                raise ProcessDiedError
            self._allowed -= 1
            return await method(*arguments)

        return counted


class CrashingUnitOfWork:
    """A unit of work whose transaction dies after so many statements, the commit counted as the last."""

    def __init__(self, uow: UnitOfWork, allowed: int) -> None:
        self._uow = uow
        self._allowed = allowed
        self.context = uow.context

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._uow.begin() as transaction:
            counting = CountingConnection(transaction.connection, self._allowed)
            transaction.connection = counting  # type: ignore[assignment]  # it has the methods of a connection
            yield transaction
            await counting.execute("select 1")


async def snapshot(ward: Any) -> list[object]:
    content: list[object] = [await ward.rows(f"select * from {table} order by 1, 2, 3") for table in TABLES]
    return [*content, await (await ward.pool()).fetchval("select count(*) from inbox")]


async def a_command(ward: Any, name: str) -> Command:
    """Prepares the ward for a command and gives it."""
    message = ward.message()
    now = ward.clock()
    if name == "raise":
        score = message.scored()
        return lambda uow: messages.hear_score(uow, score, now=now)
    if name == "set the chain":
        return lambda uow: chains.set_chain(
            uow, supervisors=[ward.supervisor], on_call=[], deadlines=dict.fromkeys(ChainStep, Deadlines()), seen=0,
            set_by=ward.administrator, now=now,
        )  # fmt: skip
    if name == "give up":
        await ward.hear(message.sent())
        ward.clock.advance(seconds=5)
        return lambda uow: messages.give_up_waiting(uow, message.message_id, 1, now=ward.clock())
    await ward.hear(message.scored())
    alert_id, visible = (await ward.alert())["id"], ward.sight(ward.therapist)
    if name == "extend":
        worse = ward.message(conversation_id=message.conversation_id).scored(RiskLevel.CRITICAL)
        return lambda uow: messages.hear_score(uow, worse, now=now)
    if name == "escalate":
        ward.clock.advance(minutes=5)
        due = DueAlert(ward.tenant_id, alert_id, ward.tenant_id, ward.clock())
        return lambda uow: by_the_clock.escalate_alert(uow, due, now=ward.clock())
    if name == "acknowledge":
        return lambda uow: alerts.acknowledge(uow, alert_id, visible, seen=None, now=now)
    await ward.answer(alert_id)
    if name == "hand over":
        return lambda uow: alerts.hand_over(uow, alert_id, visible, Successor(step=ChainStep.SUPERVISOR), seen=None, now=now)
    return lambda uow: alerts.resolve(uow, alert_id, visible, ward.seal, note="Spoke by phone.", seen=None, now=now)


@pytest.mark.parametrize(
    "name", ["raise", "extend", "give up", "escalate", "acknowledge", "hand over", "resolve", "set the chain"]
)
async def test_a_crash_between_any_two_statements_leaves_all_or_nothing(ward: Any, outbox: Any, name: str) -> None:
    command = await a_command(ward, name)
    before, published = await snapshot(ward), await outbox(ward.tenant_id)
    statements = 0
    while True:
        try:
            await command(CrashingUnitOfWork(ward.uow(), statements))
        except ProcessDiedError:
            assert await snapshot(ward) == before
            assert await outbox(ward.tenant_id) == published
            statements += 1
        else:
            break

    assert statements > 4
    assert await snapshot(ward) != before
    assert len(await outbox(ward.tenant_id)) == len(published) + (name != "set the chain")
