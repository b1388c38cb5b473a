"""Terms of a tenant: what a visit costs, and what is owed for one that was cancelled late or missed.

Prices and policies are only ever added, never rewritten, so that an event handled late is billed as it would have been in time:
the price that counts is the one in force when the visit starts, the policy the one in force when the visit ended, was missed or
was cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.domain.money import BASIS_POINTS, MAX_AMOUNT_MINOR, PERCENT, is_currency
from bloom_events.appointments import VisitType
from service_kit.errors import Problem

MAX_LATE_WINDOW_HOURS = 24 * 14
MAX_PAYMENT_TERM_DAYS = 365


class PriceInThePast(Problem):
    """Prices are announced, not rewritten: a new price may not start before now."""

    slug, status, title = "price-in-the-past", 409, "A price cannot start in the past"


@dataclass(frozen=True, slots=True)
class Price:
    """What one type of visit costs from a moment on: net of tax, in minor units; the tax rate in basis points."""

    visit_type: VisitType
    currency: str
    net_minor: int
    tax_basis_points: int
    valid_from: datetime
    revision: int

    def __post_init__(self) -> None:
        if not is_currency(self.currency) or not 0 <= self.net_minor <= MAX_AMOUNT_MINOR:
            raise ValueError("a price needs a currency and an amount in range")
        if not 0 <= self.tax_basis_points <= BASIS_POINTS:
            raise ValueError("a tax rate lies between 0 and 10000 basis points")


@dataclass(frozen=True, slots=True)
class PriceList:
    """Every price that a tenant ever set, and the number of its last change."""

    revision: int = 0
    prices: tuple[Price, ...] = ()

    def price_of(self, visit_type: VisitType, at: datetime) -> Price | None:
        """The price in force at a moment: the last one that had started, or, before the very first, that first one."""
        of_type = sorted((p for p in self.prices if p.visit_type == visit_type), key=lambda p: (p.valid_from, p.revision))
        if not of_type:
            return None
        started = [price for price in of_type if price.valid_from <= at]
        if started:
            return started[-1]
        return max((p for p in of_type if p.valid_from == of_type[0].valid_from), key=lambda p: p.revision)

    def with_prices(self, new: Sequence[Price], now: datetime) -> PriceList:
        """The list after a change; refuses a price that would reach back in time."""
        if any(price.valid_from < now for price in new):
            raise PriceInThePast
        return PriceList(self.revision + 1, (*self.prices, *new))

    def history(self) -> tuple[Price, ...]:
        """Every price ever set, in order of type, start and revision."""
        return in_order(self.prices)


def in_order(prices: Iterable[Price]) -> tuple[Price, ...]:
    """Prices by type, start and revision."""
    return tuple(sorted(prices, key=lambda p: (p.visit_type, p.valid_from, p.revision)))


@dataclass(frozen=True, slots=True)
class Policy:
    """What a tenant charges for visits that did not take place, and how its invoices look."""

    late_window_hours: int = 24
    late_percent: int = 50
    no_show_percent: int = 100
    payment_term_days: int = 14
    issuer_name: str = "Bloom"
    revision: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.late_window_hours <= MAX_LATE_WINDOW_HOURS or not 0 <= self.payment_term_days <= MAX_PAYMENT_TERM_DAYS:
            raise ValueError("a window or a term is out of range")
        if not (0 <= self.late_percent <= PERCENT and 0 <= self.no_show_percent <= PERCENT):
            raise ValueError("a fee lies between 0 and 100 percent of the price")

    def is_late(self, *, cancelled_at: datetime, starts_at: datetime) -> bool:
        """Whether a cancellation came inside the window; exactly on its edge is still in time."""
        return starts_at - cancelled_at < timedelta(hours=self.late_window_hours)


DEFAULT_POLICY = Policy()
"""The policy of a tenant that has set none, and of the time before it set its first."""
