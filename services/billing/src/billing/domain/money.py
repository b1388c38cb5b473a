"""Money: integer minor units and a currency, and the one rounding rule.

Every share of an amount (a tax, a fee in percent) is rounded half up to a whole minor unit, line by line; totals are sums of
rounded lines. Amounts are never negative: what is taken back is a document of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_AMOUNT_MINOR = 10**12
BASIS_POINTS = 10_000
PERCENT = 100

_CURRENCY = re.compile(r"[A-Z]{3}")


def is_currency(code: str) -> bool:
    """Whether a code is shaped like one of ISO 4217."""
    return _CURRENCY.fullmatch(code) is not None


def share_of(amount_minor: int, parts: int, whole: int) -> int:
    """The part `parts / whole` of an amount, rounded half up to a whole minor unit."""
    if amount_minor < 0 or parts < 0 or whole <= 0:
        raise ValueError("a share is taken of an amount that is not negative")
    return (2 * amount_minor * parts + whole) // (2 * whole)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Net, tax and total of a line or a document, in minor units of one currency."""

    currency: str
    net_minor: int
    tax_minor: int

    def __post_init__(self) -> None:
        if not is_currency(self.currency):
            raise ValueError("a currency is three capital letters")
        if not (0 <= self.net_minor <= MAX_AMOUNT_MINOR and 0 <= self.tax_minor <= MAX_AMOUNT_MINOR):
            raise ValueError("an amount is out of range")

    @property
    def total_minor(self) -> int:
        return self.net_minor + self.tax_minor

    @classmethod
    def taxed(cls, currency: str, net_minor: int, tax_basis_points: int) -> Amounts:
        """A net amount with its tax, rounded by the one rule."""
        return cls(currency, net_minor, share_of(net_minor, tax_basis_points, BASIS_POINTS))
