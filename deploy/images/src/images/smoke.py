"""Asks an environment from outside whether it serves: the gateway itself, and through it a route of a service."""

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

# The gateway answers the first by itself; the second comes from auth's API, with the keys that all others need.
PATHS = ("/health/live", "/.well-known/jwks.json")
LIMIT_SECONDS, PAUSE_SECONDS = 600.0, 5.0


def await_answers(url: str, *, limit_seconds: float = LIMIT_SECONDS, pause: Callable[[float], None] = time.sleep) -> None:
    """Return once every path is answered with 200; TimeoutError names those that were not within the limit."""
    if urllib.parse.urlparse(url).scheme not in {"http", "https"}:
        raise ValueError(f"{url!r} is no address of a gateway: set URL to one that begins with https://")
    ends = time.monotonic() + limit_seconds
    while missing := [path for path in PATHS if _status(url.rstrip("/") + path) != 200]:
        if time.monotonic() > ends:
            raise TimeoutError(f"no 200 from {', '.join(missing)} within {limit_seconds:.0f} s")
        pause(PAUSE_SECONDS)


def _status(address: str) -> int | None:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  # http and https alone get here
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return None
