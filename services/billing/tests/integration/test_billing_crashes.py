"""A crash between any two statements: nothing of the command is left, and the same command then works as if it were the first."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from billing.domain.invoices import PaymentMethod, VoidReason
from billing.domain.visibility import VisibleInvoices
from billing.use_cases.invoices import record_payment, void_invoice
from billing.use_cases.terms import set_prices
from billing.use_cases.visits import bill_visit
from service_kit.unit_of_work import Transaction, UnitOfWork

EVERYTHING = VisibleInvoices(None)
TABLES = ("terms", "prices", "policies", "visits", "number_series", "invoices", "invoice_lines", "credit_notes", "payments")
JOURNAL = ("journal_transactions", "journal_entries")


class ProcessDiedError(Exception):
    """The process died."""


class CountingConnection:
    """A connection that lets so many statements through and dies at the next one."""

    def __init__(self, connection: Any, allowed: int) -> None:
        self._connection = connection
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def _run(self, name: str, *arguments: Any) -> Any:
        if self._allowed == 0:
            raise ProcessDiedError
        self._allowed -= 1
        return await getattr(self._connection, name)(*arguments)

    async def execute(self, *arguments: Any) -> Any:
        return await self._run("execute", *arguments)

    async def executemany(self, *arguments: Any) -> Any:
        return await self._run("executemany", *arguments)

    async def fetch(self, *arguments: Any) -> Any:
        return await self._run("fetch", *arguments)

    async def fetchrow(self, *arguments: Any) -> Any:
        return await self._run("fetchrow", *arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        return await self._run("fetchval", *arguments)


class CrashingUnitOfWork:
    """A unit of work whose transaction dies after so many statements, the commit counted as the last."""

    def __init__(self, uow: UnitOfWork, allowed: int) -> None:
        self._uow = uow
        self._allowed = allowed

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._uow.begin() as transaction:
            counting = CountingConnection(transaction.connection, self._allowed)
            transaction.connection = counting  # type: ignore[assignment]  # it has the methods of a connection
            yield transaction
            await counting._run("execute", "select 1")


async def snapshot(practice: Any) -> list[object]:
    content: list[object] = [await practice.rows(f"select * from {table} order by 1, 2, 3") for table in (*TABLES, *JOURNAL)]
    return [*content, await practice.pool.fetchval("select count(*) from inbox")]


Command = Callable[[Any], Awaitable[object]]


async def a_command(practice: Any, name: str) -> Command:
    """Prepares the books for a command and gives it."""
    story = practice.story().booked().completed().corrected("no_show")
    if name == "set prices":
        await practice.hear(story.events[:2])
        prices = await practice_prices(practice)
        return lambda uow: set_prices(uow, prices, seen=0, set_by=uuid4(), now=practice.clock())
    await practice.with_prices()
    heard = {"book": 0, "complete": 1, "correct": 2, "pay": 2, "void": 2}[name]
    await practice.hear(story.events[:heard])
    if name in {"book", "complete", "correct"}:
        return lambda uow: bill_visit(uow, story.events[heard], now=practice.clock())
    (invoice,) = await practice.invoices()
    if name == "void":
        return lambda uow: void_invoice(
            uow, invoice["id"], EVERYTHING, seen=invoice["revision"], reason=VoidReason.WAIVED, now=practice.clock()
        )
    return lambda uow: record_payment(
        uow, invoice["id"], EVERYTHING, amount_minor=14_280, currency="EUR", method=PaymentMethod.CARD,
        recorded_by=uuid4(), now=practice.clock(),
    )  # fmt: skip


async def practice_prices(practice: Any) -> list[Any]:
    from billing.use_cases.terms import NewPrice
    from bloom_events.appointments import VisitType

    return [NewPrice(VisitType.STANDARD, "EUR", 12_000, 1_900, practice.clock())]


@pytest.mark.promise("BI2", "BI4", "PL19")
@pytest.mark.parametrize("name", ["book", "complete", "correct", "pay", "void", "set prices"])
async def test_a_crash_between_any_two_statements_leaves_all_or_nothing(practice: Any, outbox: Any, name: str) -> None:
    command = await a_command(practice, name)
    before, published = await snapshot(practice), await outbox(practice.tenant_id)
    statements = 0
    while True:
        try:
            await command(CrashingUnitOfWork(practice.uow(), statements))
        except ProcessDiedError:
            assert await snapshot(practice) == before
            assert await outbox(practice.tenant_id) == published
            statements += 1
        else:
            break

    assert statements > 5
    assert await snapshot(practice) != before
    assert len(await outbox(practice.tenant_id)) > len(published)
