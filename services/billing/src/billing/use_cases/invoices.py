"""Reading invoices, and what administrators do to them: record a payment, take one back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from billing.domain import invoices
from billing.domain.invoices import Invoice, PaymentMethod, VoidReason
from billing.domain.overview import InvoiceFilter, Total
from billing.domain.visibility import VisibleInvoices
from billing.repository.invoices import InvoiceRepository
from billing.use_cases.books import write_steps
from service_kit.errors import PreconditionFailed
from service_kit.unit_of_work import UnitOfWork


async def get_invoice(uow: UnitOfWork, invoice_id: UUID, visible: VisibleInvoices) -> Invoice:
    """One invoice that the caller may see."""
    async with uow.begin() as transaction:
        return await InvoiceRepository(transaction.connection).get(invoice_id, visible)


async def list_invoices(
    uow: UnitOfWork, visible: VisibleInvoices, wanted: InvoiceFilter, *, after: UUID | None, limit: int
) -> Sequence[Invoice]:
    """Up to `limit` invoices, the newest first."""
    async with uow.begin() as transaction:
        return await InvoiceRepository(transaction.connection).list_visible(visible, wanted, after=after, limit=limit)


async def total_invoices(uow: UnitOfWork, visible: VisibleInvoices, wanted: InvoiceFilter) -> Sequence[Total]:
    """Sums by currency and state."""
    async with uow.begin() as transaction:
        return await InvoiceRepository(transaction.connection).totals(visible, wanted)


async def record_payment(
    uow: UnitOfWork,
    invoice_id: UUID,
    visible: VisibleInvoices,
    *,
    amount_minor: int,
    currency: str,
    method: PaymentMethod,
    recorded_by: UUID,
    now: datetime,
) -> Invoice:
    """Record that an open invoice was paid in full."""
    async with uow.begin() as transaction:
        repository = InvoiceRepository(transaction.connection)
        invoice = await repository.lock(invoice_id, visible)
        step = invoices.pay(invoice, amount_minor=amount_minor, currency=currency, now=now)
        await write_steps(transaction, [invoice], [step], now)
        await repository.add_payment(step.invoice, method=method, recorded_by=recorded_by, now=now)
    return step.invoice


async def void_invoice(
    uow: UnitOfWork, invoice_id: UUID, visible: VisibleInvoices, *, seen: int, reason: VoidReason, now: datetime
) -> Invoice:
    """Take back an invoice that is not paid, in the revision that the caller has seen."""
    async with uow.begin() as transaction:
        invoice = await InvoiceRepository(transaction.connection).lock(invoice_id, visible)
        if invoice.revision != seen:
            raise PreconditionFailed
        step = invoices.void(invoice, reason=reason, now=now)
        await write_steps(transaction, [invoice], [step], now)
    return step.invoice
