"""Writing what a settlement or a single step came to, inside the transaction of the use case that asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.domain.invoices import Invoice, Step
from billing.domain.settlement import NO_NUMBERS, settle
from billing.domain.terms import DEFAULT_POLICY
from billing.domain.visits import Visit
from billing.repository.invoices import InvoiceRepository
from billing.repository.ledger import LedgerRepository
from billing.repository.terms import TermsRepository
from service_kit.unit_of_work import Transaction


async def settle_visit(transaction: Transaction, visit: Visit, now: datetime) -> None:
    """Bring the invoices of a visit, whose row and terms this transaction holds, to where it wants them."""
    terms, ledger = TermsRepository(transaction.connection), LedgerRepository(transaction.connection)
    known = await InvoiceRepository(transaction.connection).of_visit(visit.appointment_id)
    price = await terms.price_of(visit.visit_type, visit.starts_at)
    policy = await terms.policy_at(visit.decided_at) if visit.decided_at else DEFAULT_POLICY
    numbers = await ledger.lock_numbers() if visit.is_over else NO_NUMBERS
    settlement = settle(visit, known, price=price, policy=policy, numbers=numbers, now=now)
    if settlement.numbers != numbers:
        await ledger.keep_numbers(settlement.numbers)
    await write_steps(transaction, known, settlement.steps, now)


async def write_steps(transaction: Transaction, known: Sequence[Invoice], steps: Sequence[Step], now: datetime) -> None:
    """Save the last state of every invoice that the steps touched, then what they issued, posted and announce."""
    invoices, ledger = InvoiceRepository(transaction.connection), LedgerRepository(transaction.connection)
    lines_before = {invoice.invoice_id: invoice.lines for invoice in known}
    for invoice in {step.invoice.invoice_id: step.invoice for step in steps}.values():
        await invoices.save(invoice, with_lines=invoice.lines != lines_before.get(invoice.invoice_id, ()))
    for step in steps:
        if step.credit_note:
            await invoices.add_credit_note(step.credit_note)
        if step.posting:
            await ledger.post(step.posting, now)
    await transaction.publish(*(event for step in steps for event in step.events))
