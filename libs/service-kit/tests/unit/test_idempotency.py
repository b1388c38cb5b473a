"""What counts as the same request."""

from hypothesis import given
from hypothesis import strategies as st

from service_kit.idempotency import fingerprint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_spaces_and_order_of_members_make_no_difference():
    one = fingerprint("POST", "/notes", "", b'{"a": 1, "b": [1, 2]}')
    assert one == fingerprint("POST", "/notes", "", b'{"b":[1,2],\n"a":1}')


def test_another_method_path_query_or_body_is_another_request():
    kinds = {
        fingerprint(*request)
        for request in [
            ("POST", "/notes", "", b"{}"),
            ("PUT", "/notes", "", b"{}"),
            ("POST", "/notes/1", "", b"{}"),
            ("POST", "/notes", "a=1", b"{}"),
            ("POST", "/notes", "", b'{"a":1}'),
            ("POST", "/notes", "", b""),
            ("POST", "/notes", "", b"no json"),
            ("POST", "/note", "s", b"{}"),
        ]
    }
    assert len(kinds) == 8


@given(body=JSON, other=JSON)
def test_two_bodies_have_one_fingerprint_only_if_they_mean_the_same(body, other):
    import orjson

    prints = [fingerprint("POST", "/", "", orjson.dumps(value)) for value in (body, other)]
    same = orjson.dumps(body, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
    assert (prints[0] == prints[1]) == same
