"""Web push (RFC 8030): sealed for one browser (RFC 8291), signed by this installation's key (RFC 8292), sent with httpx.

A push service cannot be asked what it has. But a message replaces the one of the same topic that still waits there, and a browser
the notification of the same tag that it shows: the same letter sent twice is one to its reader.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import orjson
from py_vapid import Vapid02
from pywebpush import WebPusher

from notifications.clients.composing import compose
from notifications.clients.configs import PushConfig
from notifications.domain.deciding import PushAddress
from notifications.domain.notices import Urgency
from notifications.domain.providing import Answer, Finding, Letter, Lost, NotTaken, Refused, Taken, Unanswerable
from notifications.domain.reaching import check_push_service
from notifications.domain.refusals import PushServiceNotAllowed

_TOKEN_LASTS = 12 * 3600
_LONGEST_WAIT = timedelta(hours=24)
_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_GONE = frozenset({404, 410})
_URGENCIES = {Urgency.CRITICAL: "high", Urgency.URGENT: "high", Urgency.ROUTINE: "normal"}


class PushProvider:
    """Hands letters over to the push services of people's browsers."""

    repeats_collapse = True

    def __init__(self, config: PushConfig, http: httpx.AsyncClient, *, portal_url: str) -> None:
        self._config = config
        self._http = http
        self._portal_url = portal_url
        self._signing = Vapid02.from_string(config.private_key.get_secret_value())

    async def send(self, letter: Letter) -> Answer:
        if letter.push is None:
            return Refused("subscription_gone", is_address_gone=True)
        try:
            check_push_service(letter.push.endpoint, self._config.hosts, plain_http=self._config.plain_http)
            sealed = _sealed(letter.push, self._payload(letter))
        except (PushServiceNotAllowed, ValueError):
            return Refused("subscription_unusable", is_address_gone=True)
        try:
            answer = await self._http.post(
                letter.push.endpoint,
                content=sealed,
                headers=self._headers(letter, letter.push.endpoint),
                timeout=self._config.timing.call.total_seconds(),
            )
        except _BEFORE_SENDING:
            return NotTaken("provider_away")
        except httpx.HTTPError:
            return Lost("no_answer")
        return _meaning(answer)

    async def find(self, letter: Letter) -> Finding:  # noqa: ARG002  # what every provider is asked
        return Unanswerable()

    async def close(self) -> None:
        await self._http.aclose()

    def _payload(self, letter: Letter) -> bytes:
        words = compose(letter, self._portal_url)
        shown = {"title": words.subject, "body": words.short, "lang": words.language, "url": words.url}
        return orjson.dumps({**shown, "tag": letter.notification.id.hex})

    def _headers(self, letter: Letter, endpoint: str) -> dict[str, str]:
        notification = letter.notification
        left = min(notification.expires_at - datetime.now(UTC), _LONGEST_WAIT)
        parts = urlsplit(endpoint)
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "sub": self._config.subject, "exp": int(time.time()) + _TOKEN_LASTS}
        signed: dict[str, str] = self._signing.sign(claims)
        return {
            **signed,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(max(0, int(left.total_seconds()))),
            "Topic": notification.id.hex,
            "Urgency": _URGENCIES[notification.urgency],
        }


def _sealed(push: PushAddress, payload: bytes) -> bytes:
    keys = {"p256dh": push.p256dh, "auth": push.auth}
    body: bytes = WebPusher({"endpoint": push.endpoint, "keys": keys}).encode(payload, "aes128gcm")["body"]
    return body


def _meaning(answer: httpx.Response) -> Answer:
    if answer.is_success:
        return Taken(answer.headers.get("location"))
    if answer.status_code in _GONE:
        return Refused("subscription_gone", is_address_gone=True)
    if answer.status_code in {400, 413}:
        return Refused("content_refused")
    if answer.status_code >= 500:
        return Lost("provider_failed")
    return NotTaken("provider_busy" if answer.status_code == 429 else "provider_refuses")
