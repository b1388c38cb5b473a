"""A way to make prices."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.domain.terms import Price
from bloom_events.appointments import VisitType


@pytest.fixture
def make_price() -> Callable[..., Price]:
    def make(net_minor: int = 12_000, tax_basis_points: int = 1_900, **more: Any) -> Price:
        defaults: dict[str, Any] = {
            "visit_type": VisitType.STANDARD,
            "currency": "EUR",
            "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
            "revision": 1,
        }
        return Price(net_minor=net_minor, tax_basis_points=tax_basis_points, **{**defaults, **more})

    return make
