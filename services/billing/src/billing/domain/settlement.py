"""Settlement: bring the invoices of a visit to where its newest known outcome wants them.

The result depends on the visit's state and the terms alone, not on which events were seen on the way: whoever first hears of a
correction opens the invoice of the visit and credits it, as would have happened step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from billing.domain import invoices
from billing.domain.charges import Line, charge_for, full_price, is_free_cancellation
from billing.domain.invoices import Invoice, Status, Step
from billing.domain.terms import Policy, Price
from billing.domain.visits import Outcome, Visit
from bloom_events.ids import CreditNoteId, InvoiceId, new_id


@dataclass(frozen=True, slots=True)
class Numbers:
    """The last number used in each of a tenant's two series; both count from 1 and leave none out."""

    invoice: int = 0
    credit_note: int = 0

    def next_invoice(self) -> tuple[str, Numbers]:
        following = replace(self, invoice=self.invoice + 1)
        return f"INV-{following.invoice:06d}", following

    def next_credit_note(self) -> tuple[str, Numbers]:
        following = replace(self, credit_note=self.credit_note + 1)
        return f"CN-{following.credit_note:06d}", following


NO_NUMBERS = Numbers()
"""For a visit that is still ahead: it takes no number, so nobody's series has to be locked."""


@dataclass(slots=True)
class Settlement:
    """The steps taken for one visit, in order, and the numbers as they stand after them."""

    visit: Visit
    price: Price | None
    policy: Policy
    numbers: Numbers
    now: datetime
    current: Invoice | None
    steps: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        self.steps.append(step)
        self.current = step.invoice


def settle(
    visit: Visit, known: Sequence[Invoice], *, price: Price | None, policy: Policy, numbers: Numbers, now: datetime
) -> Settlement:
    """Step from the invoices that exist, in order of sequence, to those the visit wants; an administrator's void stays."""
    settlement = Settlement(visit, price, policy, numbers, now, current=known[-1] if known else None)
    if any(invoice.status is Status.VOID for invoice in known):
        return settlement
    if settlement.current is None:
        settlement.take(Step(invoices.begin(InvoiceId(new_id()), visit, 1, now)))
    if price is None:
        _settle_without_price(settlement)
    else:
        _settle_at(settlement, price)
    return settlement


def _settle_without_price(settlement: Settlement) -> None:
    """Without a price only a cancellation that costs nothing is settled; all else waits for the price."""
    current = settlement.current
    if current and current.status is Status.UNPRICED and is_free_cancellation(settlement.visit, settlement.policy):
        settlement.take(invoices.discard(current, settlement.now))


def _settle_at(settlement: Settlement, price: Price) -> None:
    visit, current = settlement.visit, settlement.current
    if current and current.status in {Status.UNPRICED, Status.DRAFT}:
        _draft(settlement, current, full_price(visit, price))
        if visit.outcome.is_correction:
            _charge(settlement, charge_for(visit, Outcome.COMPLETED, price, settlement.policy))
    if visit.is_over:
        _charge(settlement, charge_for(visit, visit.outcome, price, settlement.policy))


def _draft(settlement: Settlement, current: Invoice, line: Line) -> None:
    if current.lines != (line,):
        settlement.take(invoices.draft(current, line))


def _charge(settlement: Settlement, line: Line | None) -> None:
    """Leave exactly this line to be paid: open the draft with it; what was issued for something else is credited first."""
    current = settlement.current
    if current and current.is_issued:
        if line and [issued.kind for issued in current.lines] == [line.kind]:
            return
        _credit(settlement, current)
    elif current and current.is_live and line is None:
        settlement.take(invoices.discard(current, settlement.now))
    if line is not None:
        _open(settlement, line)


def _open(settlement: Settlement, line: Line) -> None:
    invoice = settlement.current
    if invoice is None or not invoice.is_live:
        sequence = invoice.sequence + 1 if invoice else 1
        started = invoices.begin(InvoiceId(new_id()), settlement.visit, sequence, settlement.now)
        settlement.take(invoices.draft(started, line))
        invoice = settlement.steps[-1].invoice
    number, settlement.numbers = settlement.numbers.next_invoice()
    settlement.take(invoices.open_(invoice, line, number=number, policy=settlement.policy, now=settlement.now))


def _credit(settlement: Settlement, invoice: Invoice) -> None:
    number, settlement.numbers = settlement.numbers.next_credit_note()
    credit_note_id = CreditNoteId(new_id())
    settlement.take(invoices.credit(invoice, credit_note_id=credit_note_id, number=number, now=settlement.now))
