"""SMS by an HTTP API of Twilio's shape. It knows no idempotency keys: what got no answer is looked for in its list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from notifications.clients.composing import compose
from notifications.clients.configs import SmsConfig
from notifications.domain.providing import Absent, Answer, Finding, Letter, Lost, NotTaken, Refused, Taken

# Never sent, so that it is safe to try again.
_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_PAGE_SIZE, _MOST_PAGES = 50, 10
_CLOCKS_APART = timedelta(minutes=5)
_DEAD = frozenset({"failed", "undelivered", "canceled"})

OPTED_OUT = 21610
"""The number has asked this sender by SMS to stop."""


class SmsProvider:
    """Hands letters over as SMS."""

    repeats_collapse = False

    def __init__(self, config: SmsConfig, http: httpx.AsyncClient, *, portal_url: str) -> None:
        self._config = config
        self._http = http
        self._portal_url = portal_url
        self._path = f"/2010-04-01/Accounts/{config.account_sid}/Messages.json"

    async def send(self, letter: Letter) -> Answer:
        words = compose(letter, self._portal_url)
        form = {"To": letter.address, "From": self._config.sender, "Body": f"Bloom: {words.short} {words.url}"}
        try:
            answer = await self._ask("POST", self._path, data=form)
        except _BEFORE_SENDING:
            return NotTaken("provider_away")
        except httpx.HTTPError:
            return Lost("no_answer")
        return _meaning(answer)

    async def find(self, letter: Letter) -> Finding:
        """Looks through what went to this number since the call for the reference that the text carries."""
        called_at = letter.notification.called_at or letter.notification.created_at
        try:
            async for message in self._sent_to(letter.address, since=called_at - _CLOCKS_APART):
                if letter.notification.reference in message["body"]:
                    return Refused("provider_failed") if message["status"] in _DEAD else Taken(message["sid"])
        except (httpx.HTTPError, LookupError, ValueError, TypeError):
            return NotTaken("provider_silent")
        return Absent()

    async def close(self) -> None:
        await self._http.aclose()

    async def _sent_to(self, number: str, *, since: datetime) -> AsyncIterator[dict[str, Any]]:  # Any: the provider's JSON
        """Messages to a number, the newest first; raises LookupError when they do not come to an end."""
        parameters: dict[str, Any] | None = {"To": number, "From": self._config.sender, "PageSize": _PAGE_SIZE}
        path = self._path
        for _ in range(_MOST_PAGES):
            answer = await self._ask("GET", path, params=parameters)
            answer.raise_for_status()
            page = answer.json()
            for message in page["messages"]:
                if parsedate_to_datetime(message["date_created"]) < since:
                    return
                yield message
            if not page["next_page_uri"]:
                return
            path, parameters = page["next_page_uri"], None
        raise LookupError("more messages to one number than anybody would send")

    async def _ask(self, method: str, path: str, **what: Any) -> httpx.Response:  # Any: httpx's own parameters
        config = self._config
        return await self._http.request(
            method,
            config.url + path,
            auth=(config.account_sid, config.auth_token.get_secret_value()),
            timeout=config.timing.call.total_seconds(),
            **what,
        )


def _meaning(answer: httpx.Response) -> Answer:
    document = _document(answer)
    if answer.is_success:
        sid = document.get("sid")
        return Taken(sid) if isinstance(sid, str) else Lost("no_answer")
    if answer.status_code == 429:
        return NotTaken("provider_busy", _wait(answer))
    if answer.status_code >= 500:
        return Lost("provider_failed")
    if answer.status_code == 400:
        return Refused("opted_out") if document.get("code") == OPTED_OUT else Refused("address_refused")
    return NotTaken("provider_refuses")


def _document(answer: httpx.Response) -> dict[str, Any]:  # Any: the provider's JSON
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _wait(answer: httpx.Response) -> timedelta | None:
    seconds = answer.headers.get("retry-after", "")
    return timedelta(seconds=min(int(seconds), 3600)) if seconds.isdigit() else None
