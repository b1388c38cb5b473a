"""The ledger as a state machine: whatever practices do in whatever turn, the database agrees with a plain count of money."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from billing.domain.invoices import InvoiceStateConflict, PaymentMethod, VoidReason
from billing.domain.visibility import VisibleInvoices
from billing.use_cases.invoices import record_payment, void_invoice
from billing.use_cases.visits import bill_visit
from local_stack.postgres import ServiceDatabase
from service_kit.database import create_pool

FULL, FEE = 14_280, 7_140
EVERYTHING = VisibleInvoices(None)
VISITS = 4

EVENTS = {"complete", "cancel in time", "cancel late", "miss", "correct to no-show", "correct to cancelled"}
FOLLOWS = {
    "booked": {"complete", "cancel in time", "cancel late", "miss"},
    "complete": {"correct to no-show", "correct to cancelled"},
}
ACTIONS = st.tuples(st.integers(0, VISITS - 1), st.sampled_from([*sorted(EVENTS), "pay", "void", "hear all again"]))


@dataclass
class Count:
    """What one visit's money should come to, counted without any of the code under test."""

    course: str = "booked"
    invoices: list[list[Any]] = field(default_factory=lambda: [["draft", FULL]])
    money: Counter[str] = field(default_factory=Counter)

    def hear(self, event: str) -> bool:
        """Say whether the appointment can take this course, and count what it costs."""
        if event not in FOLLOWS.get(self.course, set()):
            return False
        self.course = event
        if self.invoices[-1][0] == "void":
            return True
        match event:
            case "cancel in time":
                self.invoices[-1][0] = "discarded"
            case "complete" | "miss":
                self._issue(FULL)
            case "cancel late":
                self._issue(FEE)
            case _:
                self._take_back()
                if event == "correct to no-show":
                    self.invoices.append(["draft", FULL])
                    self._issue(FULL)
        return True

    def pay(self) -> bool:
        if self.invoices[-1][0] != "open":
            return False
        self._move("accounts_receivable", "cash", self.invoices[-1][1])
        self.invoices[-1][0] = "paid"
        return True

    def void(self) -> bool:
        before = self.invoices[-1][0]
        if before not in {"draft", "open"}:
            return False
        if before == "open":
            self._earn(-self.invoices[-1][1], "accounts_receivable")
        self.invoices[-1][0] = "void"
        return True

    def _issue(self, total: int) -> None:
        self.invoices[-1] = ["open", total]
        self._earn(total, "accounts_receivable")

    def _take_back(self) -> None:
        status, total = self.invoices[-1]
        self._earn(-total, "customer_credits" if status == "paid" else "accounts_receivable")
        self.invoices[-1][0] = "credited"

    def _earn(self, total: int, against: str) -> None:
        tax = total * 19 // 119
        self.money.update({against: total, "revenue": tax - total, "tax_payable": -tax})

    def _move(self, source: str, target: str, amount: int) -> None:
        self.money.update({source: -amount, target: amount})


async def tell(practice: Any, story: Any, event: str) -> None:
    match event:
        case "complete":
            story.completed()
        case "cancel in time":
            story.cancelled(hours_before=48)
        case "cancel late":
            story.cancelled(hours_before=1)
        case "miss":
            story.missed()
        case "correct to no-show":
            story.corrected("no_show")
        case _:
            story.corrected("cancelled")
    await practice.hear(story.events[-1:])


async def newest(practice: Any, appointment_id: UUID) -> Any:
    rows = await practice.rows("select * from invoices where appointment_id = $1 order by sequence desc", appointment_id)
    return rows[0]


async def pay(practice: Any, invoice: Any) -> None:
    how = {"method": PaymentMethod.CARD, "recorded_by": uuid4(), "now": practice.clock()}
    await record_payment(practice.uow(), invoice["id"], EVERYTHING, amount_minor=invoice["total_minor"], currency="EUR", **how)


async def void(practice: Any, invoice: Any) -> None:
    how = {"seen": invoice["revision"], "reason": VoidReason.DISPUTED, "now": practice.clock()}
    await void_invoice(practice.uow(), invoice["id"], EVERYTHING, **how)


async def act(practice: Any, story: Any, count: Count, action: str) -> None:
    if action == "hear all again":
        for event in reversed(story.events):
            await bill_visit(practice.uow(event), event, now=practice.clock())
    elif action in EVENTS:
        if count.hear(action):
            await tell(practice, story, action)
    else:
        possible, doing = (count.pay(), pay) if action == "pay" else (count.void(), void)
        invoice = await newest(practice, story.appointment_id)
        if possible:
            await doing(practice, invoice)
        else:
            with pytest.raises(InvoiceStateConflict):
                await doing(practice, invoice)


async def play(database: ServiceDatabase, make_practice: Any, actions: Sequence[tuple[int, str]]) -> int:
    pool = await create_pool(SecretStr(database.app_url), size=2, application_name="billing-ledger")
    try:
        practice = make_practice(pool)
        await practice.with_prices()
        stories = [practice.story().booked() for _ in range(VISITS)]
        counts = [Count() for _ in stories]
        for story in stories:
            await practice.hear(story.events)
        for index, action in actions:
            await act(practice, stories[index], counts[index], action)
        await then_books_agree(practice, stories, counts)
        return len(stories)
    finally:
        await pool.close()


async def then_books_agree(practice: Any, stories: Sequence[Any], counts: Sequence[Count]) -> None:
    found: dict[UUID, list[list[Any]]] = {}
    for invoice in await practice.invoices():
        found.setdefault(invoice["appointment_id"], []).append([invoice["status"], invoice["total_minor"]])
    assert [found[story.appointment_id] for story in stories] == [count.invoices for count in counts]
    money: Counter[str] = Counter()
    for count in counts:
        money.update(count.money)
    assert await practice.balance() == {account: amount for account, amount in money.items() if amount}
    handled = await practice.rows("select sum(events_handled)::int as handled from visits")
    assert handled[0]["handled"] == sum(len(story.events) for story in stories)


@pytest.mark.promise("BI4")
@settings(max_examples=25, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25))
def test_the_database_agrees_with_a_plain_count_of_money(
    database: ServiceDatabase, practice_maker: Any, actions: list[tuple[int, str]]
) -> None:
    assert asyncio.run(play(database, practice_maker, actions)) == VISITS
