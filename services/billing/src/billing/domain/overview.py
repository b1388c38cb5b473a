"""What lists and sums of invoices are asked by, and what sums are answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.domain.invoices import Status


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """What narrows a list of invoices; None means any. `issued_from` is included, `issued_before` is not."""

    statuses: tuple[Status, ...] | None = None
    currency: str | None = None
    issued_from: datetime | None = None
    issued_before: datetime | None = None
    patient_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of all invoices of one currency in one state, in minor units."""

    currency: str
    status: Status
    invoices: int
    net_minor: int
    tax_minor: int
