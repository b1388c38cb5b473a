"""Cursors: opaque to callers, exact for us, and never a source of unexpected errors."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.errors import InvalidCursor
from service_kit.pagination import decode_cursor, encode_cursor, page_of


def test_a_cursor_brings_its_sort_key_back():
    at, row_id = datetime(2030, 1, 7, 9, 0, 0, 123456, tzinfo=UTC), uuid4()
    assert decode_cursor(encode_cursor(at, row_id), datetime.fromisoformat, UUID) == (at, row_id)


def test_a_cursor_can_stand_in_an_address_as_it_is():
    assert all(letter.isalnum() or letter in "-_" for letter in encode_cursor("?&=/+ü", 7))


@given(text=st.text(max_size=60))
def test_a_cursor_of_nobody_knows_where_is_refused(text):
    with pytest.raises(InvalidCursor):
        decode_cursor(text, datetime.fromisoformat, UUID)


@pytest.mark.parametrize(
    "cursor", [encode_cursor("x"), encode_cursor("x", "y", "z"), encode_cursor("2030-01-01", "no-uuid"), "e30", "MQ"]
)
def test_a_cursor_of_another_list_is_refused(cursor):
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, datetime.fromisoformat, UUID)


def test_a_row_more_than_the_limit_tells_that_there_is_a_next_page():
    page = page_of([1, 2, 3], limit=2, present=str, key=lambda row: (row,))
    assert page.items == ["1", "2"]
    assert page.next_cursor is not None
    assert decode_cursor(page.next_cursor, int) == (2,)


@pytest.mark.parametrize("rows", [[], [1], [1, 2]])
def test_the_last_page_has_no_cursor(rows):
    assert page_of(rows, limit=2, present=str, key=lambda row: (row,)).next_cursor is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (2**63, int),
        (-(2**63) - 1, int),
        ("a\x00", str),
        ("0001-01-01T00:00:00+14:00", datetime.fromisoformat),
        ("9999-12-31T23:59:59-14:00", datetime.fromisoformat),
        ("2030-01-01T00:00:00", datetime.fromisoformat),
    ],
)
def test_a_forged_sort_key_that_postgresql_could_not_hold_is_refused(value, read):
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor(str(value)), read)
