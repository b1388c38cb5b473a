"""Charges: what is owed for a visit, as the line of an invoice, from its outcome, the price and the policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.domain.money import PERCENT, Amounts, share_of
from billing.domain.terms import Policy, Price
from billing.domain.visits import Outcome, Visit
from bloom_events.appointments import VisitType


class LineKind(StrEnum):
    """What a line charges for."""

    VISIT = "visit"
    LATE_CANCELLATION = "late_cancellation"
    NO_SHOW = "no_show"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a kind of charge for one visit, as a percentage of the price that was in force when the visit starts."""

    kind: LineKind
    visit_type: VisitType
    visit_starts_at: datetime
    price_minor: int
    percent: int
    tax_basis_points: int
    amounts: Amounts


def full_price(visit: Visit, price: Price) -> Line:
    """The line of a visit that takes place."""
    return _line(visit, price, LineKind.VISIT, PERCENT)


def is_free_cancellation(visit: Visit, policy: Policy) -> bool:
    """Whether a visit was cancelled by the practice, or by the patient in time."""
    if visit.outcome is Outcome.CANCELLED_BY_PATIENT and visit.decided_at:
        return not policy.is_late(cancelled_at=visit.decided_at, starts_at=visit.starts_at)
    return visit.outcome is Outcome.CANCELLED_BY_PRACTICE


def charge_for(visit: Visit, outcome: Outcome, price: Price, policy: Policy) -> Line | None:
    """What an outcome of this visit leaves to be paid; None when nothing is owed. A practice that cancels is owed nothing."""
    match outcome:
        case Outcome.COMPLETED:
            return owed(full_price(visit, price))
        case Outcome.MISSED | Outcome.CORRECTED_TO_MISSED:
            return owed(_line(visit, price, LineKind.NO_SHOW, policy.no_show_percent))
        case Outcome.CANCELLED_BY_PATIENT if not is_free_cancellation(visit, policy):
            return owed(_line(visit, price, LineKind.LATE_CANCELLATION, policy.late_percent))
        case _:
            return None


def owed(line: Line) -> Line | None:
    """The line itself, or None when it comes to nothing: nothing owed, nothing invoiced."""
    return line if line.amounts.total_minor > 0 else None


def _line(visit: Visit, price: Price, kind: LineKind, percent: int) -> Line:
    net_minor = share_of(price.net_minor, percent, PERCENT)
    return Line(
        kind=kind,
        visit_type=visit.visit_type,
        visit_starts_at=visit.starts_at,
        price_minor=price.net_minor,
        percent=percent,
        tax_basis_points=price.tax_basis_points,
        amounts=Amounts.taxed(price.currency, net_minor, price.tax_basis_points),
    )
