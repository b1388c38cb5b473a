"""Which address a rate limit counts for."""

import pytest
from starlette.requests import Request

from auth.dependencies import client_address


def request(forwarded: str | None, peer: str = "10.0.0.9") -> Request:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded is not None else []
    return Request({"type": "http", "headers": headers, "client": (peer, 1)})


@pytest.mark.parametrize(
    ("forwarded", "proxies", "seen"),
    [
        (None, 0, "10.0.0.9"), ("1.1.1.1", 0, "10.0.0.9"), (None, 1, "10.0.0.9"), ("", 1, "10.0.0.9"), ("1.1.1.1", 1, "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1", 1, "1.1.1.1"), ("6.6.6.6, 1.1.1.1, 2.2.2.2", 2, "1.1.1.1"), ("1.1.1.1", 2, "10.0.0.9"),
    ],
)  # fmt: skip
def test_only_what_our_own_proxies_added_counts(forwarded, proxies, seen):
    assert client_address(request(forwarded), proxies=proxies) == seen
