"""What a request may carry: a body within the limit, in a format that is read here, and only text that PostgreSQL can store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from starlette.types import Message, Receive, Scope

from service_kit.errors import FieldError, InvalidRequest, MalformedRequest, PayloadTooLarge, UnsupportedMediaType

_NUL_ERROR = "May not hold the character NUL"


class RequestBody:
    """Reads a body in full, within its limit, before the app sees it: what is too long or not readable never reaches a route."""

    def __init__(self, scope: Scope, headers: Mapping[bytes, bytes], *, limit: int, media_types: frozenset[str]) -> None:
        self._scope = scope
        self._headers = headers
        self._limit = limit
        self._media_types = media_types

    async def checked(self, receive: Receive) -> Receive:
        """A `receive` that replays the body; raises PayloadTooLarge, UnsupportedMediaType, MalformedRequest or InvalidRequest."""
        self._check_address()
        if b"content-length" not in self._headers and b"transfer-encoding" not in self._headers:
            return receive
        body = await self._read(receive)
        if body is None:
            return _replay({"type": "http.disconnect"}, receive)
        if body:
            self._check_format(body)
        return _replay({"type": "http.request", "body": body, "more_body": False}, receive)

    def _check_address(self) -> None:
        if "\x00" in self._scope["path"]:
            raise MalformedRequest("The path holds the character NUL.")
        if b"%00" in self._scope["query_string"] and b"\x00" in unquote_to_bytes(self._scope["query_string"]):
            raise InvalidRequest(errors=[FieldError(("query",), "string_nul", _NUL_ERROR)])

    async def _read(self, receive: Receive) -> bytes | None:
        declared = self._headers.get(b"content-length", b"0")
        if not declared.isdigit():
            raise MalformedRequest("Content-Length is not a number.")
        if int(declared) > self._limit:
            raise PayloadTooLarge(f"At most {self._limit} bytes are taken.", headers={"Connection": "close"})
        chunks: list[bytes] = []
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            length, more = length + len(chunks[-1]), message.get("more_body", False)
            if length > self._limit:
                raise PayloadTooLarge(f"At most {self._limit} bytes are taken.", headers={"Connection": "close"})
        return b"".join(chunks)

    def _check_format(self, body: bytes) -> None:
        if self._headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMediaType("The body may not be compressed.")
        media_type = self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
        if media_type in self._media_types:
            return
        if media_type != "application/json":
            raise UnsupportedMediaType("The body must be application/json.")
        _check_json(body)


def _check_json(body: bytes) -> None:
    try:
        # orjson refuses what json.loads lets through and PostgreSQL does not: lone surrogates, NaN, other encodings than UTF-8.
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest("The body is not valid JSON in UTF-8.") from error
    if b"\\u0000" in body and (place := _find_nul(document, ())) is not None:
        raise InvalidRequest(errors=[FieldError(("body", *place), "string_nul", _NUL_ERROR)])


def _find_nul(value: Any, place: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    if isinstance(value, str):
        return place if "\x00" in value else None
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        if any("\x00" in name for name in value):
            return place
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return next((found for name, item in items if (found := _find_nul(item, (*place, name))) is not None), None)


def _replay(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
