"""The route by which pages stay up to date: changed windows as server-sent events."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from analytics.dependencies import Changes, Sighted, TokenEnd, settings_of
from analytics.domain.following import TooManyStreams
from analytics.domain.questions import StepNotMeasured, UnknownMetric
from analytics.schemas.stream import ChangeResponse, StreamQuery
from analytics.use_cases.feed import Follower
from service_kit.errors import Forbidden
from service_kit.problems import problem_responses
from service_kit.request_scope import kit_of

stream = APIRouter(prefix="/api/analytics", tags=["analytics"])

_MEDIA_TYPE = "text/event-stream"
_TEXT = {"type": "string"}
_EVENT = {
    "type": "object",
    "description": "One event; `data` of a `window` is a ChangeResponse as JSON.",
    "properties": {
        "event": {"type": "string", "enum": ["open", "window", "reset", "end"]},
        "data": _TEXT,
        "id": _TEXT,
        "retry": {"type": "integer"},
    },
    "required": ["event", "data"],
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `open`, `window`, `reset` and `end`, and a comment as a heart beat.",
        "content": {_MEDIA_TYPE: {"schema": _EVENT}},
    }
}
_POSITION = re.compile(r"[0-9]{1,19}")

# A browser comes back after so many milliseconds: at once would have all of them come back at once after a restart.
_RETRY = b"retry: 2000\n"

LastEventId = Annotated[
    str | None, Header(max_length=100, description="The id of the last event that was seen: the stream goes on from there.")
]


@dataclass(frozen=True, slots=True)
class _Life:
    """How long a stream goes on, and how often it says that it lives."""

    until: float
    token_end: float
    beat_seconds: float
    is_draining: Callable[[], bool]

    def end(self) -> str | None:
        """Why the stream ends now, None if it does not."""
        now = time.time()
        if now >= self.token_end:
            return "token-expired"
        if now >= self.until:
            return "renew"
        return "restart" if self.is_draining() else None

    def wait_seconds(self) -> float:
        """How long to wait for a change before looking at the clock; a process that ends is noticed within a second."""
        return max(0.01, min(1.0, self.beat_seconds, min(self.until, self.token_end) - time.time()))


class _Stream(StreamingResponse):
    """Tells when it is over, however that comes about, and also when its first byte was never sent."""

    media_type = _MEDIA_TYPE

    def __init__(self, content: AsyncIterator[bytes], on_end: Callable[[], None]) -> None:
        # A proxy that puts answers together before it hands them on would hold events back.
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


@stream.get(
    "/stream",
    responses={**problem_responses(Forbidden, UnknownMetric, StepNotMeasured, TooManyStreams), **_EVENTS},
    response_class=StreamingResponse,
)
async def follow_changes(
    *,
    request: Request,
    asked: Annotated[StreamQuery, Query()],
    sight: Sighted,
    changes: Changes,
    token_end: TokenEnd,
    last_event_id: LastEventId = None,
) -> _Stream:
    """Windows as they change, until the access token is over: each `window` event is the newest state of one window.

    After `reset` changes were lost, because too many waited or the place is not known any more: read the series anew. `end` says
    why the stream ends; come back with the last id.
    """
    kit = kit_of(request)
    settings = settings_of(kit)
    wanted = asked.wanted(sight.reader)
    follower = await changes.follow(sight.tenant_id, sight.subject, wanted, after=_position(last_event_id))
    until = time.time() + settings.stream_seconds
    life = _Life(until, token_end, settings.stream_beat_seconds, lambda: kit.health.draining)
    return _Stream(_events(follower, life), lambda: changes.leave(follower))


def _position(last_event_id: str | None) -> int | None:
    """Where to go on; what is no place of ours lies beyond all places, so that the reader is told to read anew."""
    if not last_event_id:
        return None
    return int(last_event_id) if _POSITION.fullmatch(last_event_id) else 2**63 - 1


async def _events(follower: Follower, life: _Life) -> AsyncIterator[bytes]:
    """The bytes of the stream. Only behind all changes of a look stands the id after which nothing of it is missing."""
    yield _RETRY + _event("open", b"{}", follower.position)
    spoken_at = time.monotonic()
    while (reason := life.end()) is None:
        was_lost, changed, position = await follower.take(life.wait_seconds())
        if was_lost:
            yield _event("reset", b"{}")
        for change in changed:
            yield _event("window", ChangeResponse.of_window(change).model_dump_json(by_alias=True).encode())
        if was_lost or changed or time.monotonic() - spoken_at >= life.beat_seconds:
            yield b": alive\nid: %d\n\n" % position
            spoken_at = time.monotonic()
    yield _event("end", b'{"reason":"%b"}' % reason.encode())


def _event(name: str, data: bytes, position: int | None = None) -> bytes:
    place = b"id: %d\n" % position if position is not None else b""
    return b"event: %b\n%bdata: %b\n\n" % (name.encode(), place, data)
