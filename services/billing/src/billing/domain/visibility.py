"""Which invoices somebody may see; made by `dependencies.py` alone, from a checked token."""

from __future__ import annotations

from dataclasses import dataclass

from bloom_events.ids import PatientId


@dataclass(frozen=True, slots=True)
class VisibleInvoices:
    """The invoices of one patient, or, without one, all of the tenant."""

    patient_id: PatientId | None
