"""What a route may ask for: the invoices a caller may see, the administrator, the unit of work, the time, the revision seen."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from billing.domain.visibility import VisibleInvoices
from bloom_events.auth import Role
from bloom_events.ids import PatientId
from service_kit.errors import Forbidden
from service_kit.etags import IfMatch
from service_kit.request_scope import CallerOnce, CallerUnitOfWork, CurrentCaller, Now, require_role
from service_kit.tokens import Caller

__all__ = ["Administrator", "EveryInvoice", "Now", "Once", "Seen", "Uow", "Visible"]

Uow = CallerUnitOfWork
Once = CallerOnce
Seen = IfMatch
Administrator = Annotated[Caller, Depends(require_role(Role.ADMINISTRATOR))]


async def _visible_invoices(caller: CurrentCaller) -> VisibleInvoices:
    if caller.role == Role.PATIENT:
        return VisibleInvoices(PatientId(caller.subject))
    if caller.role == Role.ADMINISTRATOR:
        return VisibleInvoices(None)
    raise Forbidden


async def _every_invoice(_caller: Administrator) -> VisibleInvoices:
    return VisibleInvoices(None)


Visible = Annotated[VisibleInvoices, Depends(_visible_invoices)]
"""A patient's own invoices, an administrator's all; therapists have no business here."""

EveryInvoice = Annotated[VisibleInvoices, Depends(_every_invoice)]
"""All invoices of the tenant, for administrators only."""
