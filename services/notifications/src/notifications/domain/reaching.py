"""How somebody can be reached: what auth says, the phone they told, the browsers they let us write to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from notifications.domain.refusals import PushNotOffered, PushServiceNotAllowed

MOST_SUBSCRIPTIONS = 10
"""Browsers per person: those who sign in everywhere keep the newest, for the others are most likely gone."""

_ASK_FIRST, _ASK_MOST = timedelta(seconds=1), timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Contact:
    """What auth knows about reaching somebody; `revision` counts the account's changes."""

    email: str
    locale: str | None
    time_zone: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class PushSubscription:
    """A browser that may be written to."""

    id: UUID
    endpoint: str
    created_at: datetime

    @property
    def service(self) -> str:
        """The host of its push service."""
        return urlsplit(self.endpoint).hostname or ""


@dataclass(frozen=True, slots=True)
class PushOffer:
    """What this installation offers browsers: its public key, None for nothing, and the push services that it calls."""

    public_key: str | None
    hosts: frozenset[str]
    plain_http: bool = False

    def check(self, endpoint: str) -> None:
        """Raise PushNotOffered, or PushServiceNotAllowed for an endpoint that is not called."""
        if self.public_key is None:
            raise PushNotOffered
        check_push_service(endpoint, self.hosts, plain_http=self.plain_http)


def ask_again_after(asks: int) -> timedelta:
    """How long to wait before auth is asked once more, after so many questions without an answer."""
    waits: timedelta = min(_ASK_MOST, _ASK_FIRST * (1 << min(asks, 16)))
    return waits


def check_push_service(endpoint: str, allowed: frozenset[str], *, plain_http: bool) -> None:
    """Raise PushServiceNotAllowed unless the endpoint is at one of these hosts, or below one that begins with a dot.

    Whoever subscribes chooses the address that this service calls, so it may only be a push service's.
    """
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise PushServiceNotAllowed from error
    is_secure = parts.scheme == "https" or (plain_http and parts.scheme == "http")
    named = {host, f"{host}:{port}" if port else host}
    is_known = bool(named & allowed) or any(host.endswith(name) for name in allowed if name.startswith("."))
    if not (is_secure and is_known and parts.username is None and endpoint.isascii() and endpoint.isprintable()):
        raise PushServiceNotAllowed
