"""Money: the one rounding rule, and sums that never lose a cent."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.money import MAX_AMOUNT_MINOR, Amounts, share_of

AMOUNTS = st.integers(min_value=0, max_value=MAX_AMOUNT_MINOR)


@pytest.mark.parametrize(
    ("net", "basis_points", "tax"),
    [
        (10_000, 1_900, 1_900),
        (50, 1_000, 5),
        (5, 1_000, 1),
        (4, 1_000, 0),
        (15, 1_000, 2),
        (25, 1_000, 3),
        (12_345, 725, 895),
        (0, 1_900, 0),
    ],
)
def test_tax_is_rounded_half_up_to_a_whole_minor_unit(net: int, basis_points: int, tax: int) -> None:
    assert Amounts.taxed("EUR", net, basis_points).tax_minor == tax


@given(amount=AMOUNTS, parts=st.integers(0, 10_000))
def test_a_share_is_at_most_half_a_minor_unit_away_from_the_exact_one(amount: int, parts: int) -> None:
    exact = Fraction(amount * parts, 10_000)
    error = share_of(amount, parts, 10_000) - exact

    assert Fraction(-1, 2) < error <= Fraction(1, 2)


@given(net=AMOUNTS, basis_points=st.integers(0, 10_000))
def test_total_is_net_and_tax_to_the_last_cent(net: int, basis_points: int) -> None:
    amounts = Amounts.taxed("USD", net, basis_points)

    assert amounts.total_minor == amounts.net_minor + amounts.tax_minor
    assert amounts.net_minor == net


@given(low=AMOUNTS, high=AMOUNTS, parts=st.integers(0, 100))
def test_a_share_of_more_is_never_less(low: int, high: int, parts: int) -> None:
    assert share_of(min(low, high), parts, 100) <= share_of(max(low, high), parts, 100)


@pytest.mark.parametrize("currency", ["eur", "EU", "EURO", "", "E1R"])
def test_a_currency_that_is_not_three_capitals_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="currency"):
        Amounts(currency, 1, 0)


@pytest.mark.parametrize(("net", "tax"), [(-1, 0), (0, -1), (MAX_AMOUNT_MINOR + 1, 0)])
def test_an_amount_out_of_range_is_refused(net: int, tax: int) -> None:
    with pytest.raises(ValueError, match="range"):
        Amounts("EUR", net, tax)


def test_a_share_of_a_negative_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        share_of(-1, 1, 2)
