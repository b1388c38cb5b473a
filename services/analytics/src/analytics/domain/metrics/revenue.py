"""Metrics of invoices, by currency: amounts are whole minor units."""

from __future__ import annotations

from typing import Any

from analytics.domain.metric import Aggregate, Happening, Metric, Read, Reading, Unit
from analytics.domain.spans import DAY
from bloom_events.analytics import RevenueMeasured
from bloom_events.billing import InvoiceCredited, InvoiceOpened, InvoicePaid, InvoiceVoided

BY_CURRENCY = ("currency",)


def _amount(field: str, sign: int = 1) -> Read:
    def read(happening: Happening) -> Reading:
        return Reading(sign * getattr(happening.data, field))

    return read


def _taken_back(happening: Happening) -> Reading | None:
    """A draft may be voided, too: it has no number, and what it says was never owed."""
    return None if happening.data.number is None else Reading(-happening.data.total_minor)


def _money(name: str, says: str, reads: dict[Any, Read]) -> Metric:
    return Metric(
        name,
        says,
        Aggregate.SUM,
        Unit.MINOR_UNITS,
        reads,
        spans=(DAY,),
        publishes=RevenueMeasured,
        # There is no sum over currencies.
        groupings=(BY_CURRENCY,),
    )


METRICS = (
    _money("revenue.invoiced", "What was invoiced.", {InvoiceOpened: _amount("total_minor")}),
    _money("revenue.paid", "What was paid.", {InvoicePaid: _amount("amount_minor")}),
    _money(
        "revenue.outstanding",
        "By how much the amount that is owed changed, less what is owed back; its running total is what is owed.",
        {
            InvoiceOpened: _amount("total_minor"),
            InvoicePaid: _amount("total_minor", -1),
            InvoiceVoided: _taken_back,
            InvoiceCredited: _amount("total_minor", -1),
        },
    ),
)
