"""Percentiles: the same as DDSketch's own, within 1 % of the exact ones, and the same however the values were split."""

from collections import Counter

import pytest
from ddsketch import DDSketch
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.windows.sketch import RELATIVE_ACCURACY, ZERO, bucket_of, quantile, value_of

values = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e12)), min_size=1, max_size=200)
shares = st.sampled_from([0.5, 0.9, 0.95, 0.99])


def buckets_of(found: list[float]) -> Counter[int]:
    return Counter(map(bucket_of, found))


@settings(deadline=None)
@given(values, shares)
def test_a_quantile_is_what_ddsketch_says(found: list[float], share: float) -> None:
    theirs = DDSketch(RELATIVE_ACCURACY)
    for value in found:
        theirs.add(value)

    assert quantile(buckets_of(found), share) == pytest.approx(theirs.get_quantile_value(share), rel=1e-12)


@settings(deadline=None)
@given(values, shares)
def test_a_quantile_is_within_one_percent_of_the_exact_one(found: list[float], share: float) -> None:
    exact = sorted(found)[int(share * (len(found) - 1))]

    assert quantile(buckets_of(found), share) == pytest.approx(exact, rel=RELATIVE_ACCURACY * 1.0001)


@settings(deadline=None)
@given(values, st.integers(0, 200), shares)
def test_merged_parts_give_the_quantile_of_the_whole(found: list[float], cut: int, share: float) -> None:
    assert quantile(buckets_of(found[:cut]) + buckets_of(found[cut:]), share) == quantile(buckets_of(found), share)


def test_zero_has_a_bucket_of_its_own_below_all_others() -> None:
    assert bucket_of(0.0) == ZERO < bucket_of(1e-300)
    assert value_of(ZERO) == 0.0


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_what_is_no_duration_has_no_bucket(value: float) -> None:
    with pytest.raises(ValueError, match="bucket"):
        bucket_of(value)


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile({}, 0.5)
