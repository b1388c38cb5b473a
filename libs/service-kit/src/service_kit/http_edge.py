"""The outermost layer of an API: ids, trace, body checks, security headers, metrics and access log around every request.

One plain ASGI layer instead of a stack of middlewares, because each of those costs a few per cent of all requests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from uuid import UUID

from opentelemetry.trace import Span, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bloom_events.ids import new_id
from service_kit import logs, metrics
from service_kit.database import is_unavailable
from service_kit.errors import Problem, ServiceUnavailable
from service_kit.problems import ProblemResponse
from service_kit.request_body import RequestBody
from service_kit.route_names import route_name
from service_kit.tracing import span

SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Cache-Control": "no-store",
}
"""Sent with every answer that does not set them itself: an API gives data to programs, never pages to browsers."""

_SECURITY = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_WENT_AWAY = 499
_UNLOGGED = frozenset({"/health/live", "/health/ready", "/metrics"})

_log = logs.get_logger("service_kit.http")


class HttpEdge:
    """Wraps an app; whatever the app raises is answered as a problem that says nothing of its cause."""

    def __init__(self, app: ASGIApp, *, body_limit_bytes: int, media_types: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._body_limit = body_limit_bytes
        self._media_types = media_types

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        token = logs.request_id.set(exchange.request_id)
        metrics.HTTP_IN_FLIGHT.inc()
        traceparent = exchange.headers.get(b"traceparent", b"").decode("latin-1")
        with span(str(scope["method"]), kind=SpanKind.SERVER, traceparent=traceparent) as opened:
            try:
                await self._answer(exchange, receive)
            finally:
                metrics.HTTP_IN_FLIGHT.dec()
                exchange.record(opened)
                logs.request_id.reset(token)

    async def _answer(self, exchange: _Exchange, receive: Receive) -> None:
        try:
            body = RequestBody(exchange.scope, exchange.headers, limit=self._body_limit, media_types=self._media_types)
            await self._app(exchange.scope, await body.checked(receive), exchange.send)
        except Problem as problem:
            await exchange.refuse(problem)
        # Nothing may leave here unanswered, and nothing of its text may get into the answer or the log.
        except Exception as error:  # see above
            if not is_unavailable(error):
                metrics.UNEXPECTED_ERRORS.labels(exchange.route).inc()
                _log.error("http.unexpected_error", route=exchange.route, failure=logs.describe_exception(error))
                await exchange.refuse(Problem())
            else:
                _log.warning("http.dependency_away", route=exchange.route, failure=logs.describe_exception(error))
                await exchange.refuse(ServiceUnavailable())


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_send", "began", "headers", "request_id", "scope", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self._send = send
        self.began = time.perf_counter()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.status = 0
        correlation_id = new_id()
        given = self.headers.get(b"x-request-id", b"")
        if _REQUEST_ID.fullmatch(given):
            self.request_id = given.decode("ascii")
            correlation_id = _uuid(self.request_id) or correlation_id
        else:
            self.request_id = str(correlation_id)
        scope.setdefault("state", {})["correlation_id"] = correlation_id

    @property
    def route(self) -> str:
        """The template of the matched route: paths themselves would make endless labels and may hold what a person typed."""
        return route_name(self.scope)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            present = {name for name, _ in headers}
            headers.extend(header for header in _SECURITY if header[0] not in present)
            headers.append((b"x-request-id", self.request_id.encode()))
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answers with the problem, or breaks the connection off when an answer is already half sent."""
        if self.status:
            raise problem
        await ProblemResponse(problem)(self.scope, _nothing_more, self.send)

    def record(self, opened: Span) -> None:
        seconds = time.perf_counter() - self.began
        method = self.scope["method"] if self.scope["method"] in _METHODS else "OTHER"
        route, status = self.route, self.status or _CLIENT_WENT_AWAY
        count, observe = metrics.http_request(method, route, status)
        count()
        observe(seconds, metrics.exemplar())
        if opened.is_recording():
            opened.update_name(f"{method} {route}")
            opened.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
        if route not in _UNLOGGED:
            logs.ACCESS_LOG.answered(method, route, status, round(seconds * 1000, 2))


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
