"""Windows cover all of a text, overlap, and never hold more than the model reads."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_scoring.model.windows import spans


@given(length=st.integers(0, 5000), size=st.integers(2, 300), data=st.data())
def test_windows_cover_every_token_in_order(length, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    windows = spans(length, size, overlap)

    assert windows[0][0] == 0
    assert windows[-1][1] == length
    for (start, end), (next_start, next_end) in itertools.pairwise(windows):
        assert start < next_start <= end - overlap
        assert end < next_end
    assert all(end - start == min(size, length) for start, end in windows)


@given(length=st.integers(0, 200_000))
def test_their_number_is_bounded(length):
    size, overlap = 254, 64
    most = 1 if length <= size else math.ceil((length - overlap) / (size - overlap))

    assert len(spans(length, size, overlap)) == most


def test_a_text_that_fits_is_one_window():
    assert spans(254, 254, 64) == [(0, 254)]
    assert spans(255, 254, 64) == [(0, 254), (1, 255)]
    assert spans(0, 254, 64) == [(0, 0)]


@pytest.mark.parametrize("overlap", [-1, 10, 11])
def test_an_overlap_that_leaves_no_step_is_refused(overlap):
    with pytest.raises(ValueError, match="overlap"):
        spans(100, 10, overlap)
