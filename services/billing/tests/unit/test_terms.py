"""Terms: which price and which policy counts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.domain.terms import Policy, Price, PriceInThePast, PriceList
from bloom_events.appointments import VisitType

MakePrice = Callable[..., Price]
JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))


def test_the_price_in_force_at_the_visit_counts(make_price: MakePrice) -> None:
    old, new = make_price(100, valid_from=JANUARY), make_price(200, valid_from=FEBRUARY, revision=2)
    prices = PriceList(2, (new, old))

    assert prices.price_of(VisitType.STANDARD, FEBRUARY - timedelta(seconds=1)) == old
    assert prices.price_of(VisitType.STANDARD, FEBRUARY) == new


def test_the_first_price_covers_visits_before_it(make_price: MakePrice) -> None:
    first = make_price(100, valid_from=FEBRUARY)

    assert PriceList(1, (first,)).price_of(VisitType.STANDARD, JANUARY) == first


def test_a_later_change_for_the_same_start_replaces_the_announced_one(make_price: MakePrice) -> None:
    announced, better = make_price(100, valid_from=MARCH), make_price(90, valid_from=MARCH, revision=2)
    prices = PriceList(2, (announced, better))

    assert prices.price_of(VisitType.STANDARD, MARCH) == better
    assert prices.price_of(VisitType.STANDARD, JANUARY) == better


def test_a_type_of_visit_without_a_price_has_none(make_price: MakePrice) -> None:
    assert PriceList(1, (make_price(),)).price_of(VisitType.INITIAL, MARCH) is None


def test_a_price_that_starts_in_the_past_is_refused(make_price: MakePrice) -> None:
    with pytest.raises(PriceInThePast):
        PriceList().with_prices([make_price(valid_from=JANUARY)], now=FEBRUARY)


def test_history_keeps_every_price(make_price: MakePrice) -> None:
    before = PriceList(1, (make_price(100, valid_from=JANUARY),))
    after = before.with_prices([make_price(200, valid_from=FEBRUARY, revision=2)], now=FEBRUARY)

    assert after.revision == 2
    assert [price.net_minor for price in after.history()] == [100, 200]


@pytest.mark.parametrize(("hours_before", "is_late"), [(24.0, False), (23.99, True), (48.0, False), (0.0, True), (-1.0, True)])
def test_a_cancellation_is_late_inside_the_window_only(hours_before: float, is_late: bool) -> None:
    cancelled_at = MARCH - timedelta(hours=hours_before)

    assert Policy(late_window_hours=24).is_late(cancelled_at=cancelled_at, starts_at=MARCH) is is_late


@pytest.mark.parametrize("wrong", [{"late_percent": 101}, {"no_show_percent": -1}, {"late_window_hours": 337}])
def test_a_policy_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"range|percent"):
        Policy(**wrong)


@pytest.mark.parametrize("wrong", [{"net_minor": -1}, {"tax_basis_points": 10_001}, {"currency": "euro"}])
def test_a_price_out_of_range_is_refused(make_price: MakePrice, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"price|tax"):
        make_price(**wrong)
