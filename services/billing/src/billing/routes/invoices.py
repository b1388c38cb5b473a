"""Routes that show invoices, and those by which administrators record a payment or take an invoice back."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from billing.dependencies import Administrator, EveryInvoice, Now, Once, Seen, Uow, Visible
from billing.domain.invoices import (
    Invoice,
    InvoiceNotFound,
    InvoiceNotIssued,
    InvoiceStateConflict,
    PaymentAmountMismatch,
    Status,
)
from billing.domain.overview import InvoiceFilter
from billing.routes.answers import answers
from billing.schemas.fields import Currency, Moment
from billing.schemas.invoices import InvoiceResponse, PaymentRequest, TotalsResponse, VoidRequest, after_invoice
from billing.schemas.pdf import render_invoice
from billing.use_cases import invoices as use_cases
from service_kit.errors import (
    Forbidden,
    IdempotencyKeyReused,
    InvalidCursor,
    PreconditionFailed,
    PreconditionRequired,
    RequestInProgress,
)
from service_kit.etags import etag
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from service_kit.unit_of_work import UnitOfWork

invoices = APIRouter(prefix="/api/invoices", tags=["invoices"])

_PDF = {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}, "description": "The document."}


async def _asked(
    statuses: Annotated[list[Status] | None, Query(alias="status", max_length=len(Status), description="Any of these.")] = None,
    currency: Annotated[Currency | None, Query()] = None,
    issued_from: Annotated[Moment | None, Query(alias="from", description="Issued at this moment or later.")] = None,
    issued_before: Annotated[Moment | None, Query(alias="to", description="Issued before this moment.")] = None,
    patient_id: Annotated[UUID | None, Query(alias="patientId")] = None,
) -> InvoiceFilter:
    return InvoiceFilter(tuple(statuses) if statuses else None, currency, issued_from, issued_before, patient_id)


Asked = Annotated[InvoiceFilter, Depends(_asked)]


@invoices.get("", responses=answers(Forbidden, InvalidCursor))
async def list_invoices(
    *, visible: Visible, asked: Asked, uow: Uow, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[InvoiceResponse]:
    """A patient's own invoices, or all of them for administrators, the newest first."""
    found = await use_cases.list_invoices(uow, visible, asked, after=after_invoice(cursor), limit=limit + 1)
    return page_of(found, limit=limit, present=InvoiceResponse.of, key=lambda invoice: (invoice.invoice_id,))


@invoices.get("/totals", responses=answers(Forbidden))
async def total_invoices(visible: EveryInvoice, asked: Asked, uow: Uow) -> TotalsResponse:
    """Sums by currency and state, for administrators; visits that wait for a price are left out."""
    return TotalsResponse.of(await use_cases.total_invoices(uow, visible, asked))


@invoices.get("/{invoice_id}", responses=answers(Forbidden, InvoiceNotFound, etag=200))
async def get_invoice(invoice_id: UUID, visible: Visible, uow: Uow, response: Response) -> InvoiceResponse:
    """One invoice with its lines. A booking has its draft at once; it is owed from the state `open` on."""
    return _tagged(await use_cases.get_invoice(uow, invoice_id, visible), response)


@invoices.get(
    "/{invoice_id}/pdf",
    response_class=Response,
    responses={**answers(Forbidden, InvoiceNotFound, InvoiceNotIssued), 200: _PDF},
)
async def get_invoice_pdf(invoice_id: UUID, visible: Visible, uow: Uow) -> Response:
    """The invoice as a PDF, once it has its number; with its credit note, if it was taken back by one."""
    invoice = await use_cases.get_invoice(uow, invoice_id, visible)
    document = await asyncio.to_thread(render_invoice, invoice)
    headers = {"Content-Disposition": f'attachment; filename="{invoice.number}.pdf"', "ETag": etag(invoice.revision)}
    return Response(document, media_type="application/pdf", headers=headers)


@invoices.post(
    "/{invoice_id}/payments",
    status_code=201,
    response_model=InvoiceResponse,
    responses=answers(
        Forbidden,
        InvoiceNotFound,
        InvoiceStateConflict,
        PaymentAmountMismatch,
        IdempotencyKeyReused,
        RequestInProgress,
        etag=201,
    ),
)
async def record_payment(
    *, invoice_id: UUID, body: PaymentRequest, caller: Administrator, visible: EveryInvoice, now: Now, once: Once
) -> Response:
    """Records that an open invoice was paid in full; a part of it, or more, is refused."""

    async def work(uow: UnitOfWork) -> InvoiceResponse:
        paid = await use_cases.record_payment(
            uow,
            invoice_id,
            visible,
            amount_minor=body.amount_minor,
            currency=body.currency,
            method=body.method,
            recorded_by=caller.subject,
            now=now,
        )
        return InvoiceResponse.of(paid)

    return await once.answer(201, work, headers=lambda paid: {"ETag": etag(paid.revision)})


@invoices.post(
    "/{invoice_id}/void",
    responses=answers(Forbidden, InvoiceNotFound, InvoiceStateConflict, PreconditionFailed, PreconditionRequired, etag=200),
)
async def void_invoice(
    *, invoice_id: UUID, body: VoidRequest, visible: EveryInvoice, uow: Uow, now: Now, seen: Seen, response: Response
) -> InvoiceResponse:
    """Takes back a draft or an open invoice. It is the last word on this visit: nothing that happens later charges it again."""
    voided = await use_cases.void_invoice(uow, invoice_id, visible, seen=seen, reason=body.reason, now=now)
    return _tagged(voided, response)


def _tagged(invoice: Invoice, response: Response) -> InvoiceResponse:
    response.headers["ETag"] = etag(invoice.revision)
    return InvoiceResponse.of(invoice)
