"""Problems: every outcome that is answered to a caller as an error, as plain exceptions without any framework.

`Problem` is the root. Each business outcome is one subclass in its service's domain, named for the outcome; the ones below
come from the plumbing. `service_kit.problems` renders them as RFC 9457 documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that was refused: where it is, which rule it broke, and that rule in words; never the value itself."""

    location: tuple[str | int, ...]
    rule: str
    message: str


class Problem(Exception):  # noqa: N818  # a Problem is named for the outcome (SlotTaken), not for being an error
    """An outcome that is answered as an error.

    `slug` is stable and unique, `status` the HTTP status, `title` a constant sentence. `detail` says more about this one
    occurrence and holds no personal data, `errors` names the refused fields, `headers` go out with the answer.
    """

    slug: ClassVar[str] = "unexpected-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Unexpected error"

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not _SLUG.fullmatch(cls.slug):
            raise TypeError(f"{cls.__name__}.slug must be lower case words joined by hyphens, not {cls.slug!r}")
        if not 400 <= cls.status <= 599:
            raise TypeError(f"{cls.__name__}.status must be an error status, not {cls.status}")


class MalformedRequest(Problem):
    """The request could not be read at all: broken JSON, an impossible path, a broken header."""

    slug, status, title = "malformed-request", 400, "The request could not be read"


class Unauthorized(Problem):
    """There is no valid access token. Never says why."""

    slug, status, title = "unauthorized", 401, "Authentication is required"

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, errors=errors, headers={"WWW-Authenticate": "Bearer", **(headers or {})})


class Forbidden(Problem):
    """The caller is known and may not do this. Never says why."""

    slug, status, title = "forbidden", 403, "This is not allowed"


class NotFound(Problem):
    """There is no such record for this caller; another person's record gives the very same answer."""

    slug, status, title = "not-found", 404, "There is no such record"


class MethodNotAllowed(Problem):
    """The path exists, the method on it does not."""

    slug, status, title = "method-not-allowed", 405, "This method is not allowed here"


class RequestInProgress(Problem):
    """A request with the same Idempotency-Key is still running."""

    slug, status, title = "request-in-progress", 409, "A request with this Idempotency-Key is still running"

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, errors=errors, headers={"Retry-After": "1", **(headers or {})})


class PreconditionFailed(Problem):
    """The record has changed since the revision that the caller saw."""

    slug, status, title = "precondition-failed", 412, "The record has changed since it was read"


class PayloadTooLarge(Problem):
    """The body is longer than this service takes."""

    slug, status, title = "payload-too-large", 413, "The request body is too large"


class UnsupportedMediaType(Problem):
    """The body is not in a format that this route reads."""

    slug, status, title = "unsupported-media-type", 415, "The request body has an unsupported content type"


class InvalidRequest(Problem):
    """The payload was read and breaks a rule; `errors` names the fields."""

    slug, status, title = "invalid-request", 422, "The request is not valid"


class InvalidCursor(Problem):
    """The cursor is not one that this list has handed out."""

    slug, status, title = "invalid-cursor", 422, "The cursor is not valid"


class IdempotencyKeyReused(Problem):
    """The Idempotency-Key was used before with another request."""

    slug, status, title = "idempotency-key-reused", 422, "The Idempotency-Key was used before with another request"


class PreconditionRequired(Problem):
    """A change needs If-Match with the revision that the caller saw."""

    slug, status, title = "precondition-required", 428, "If-Match is required"


class TooManyRequests(Problem):
    """The caller is over a limit; Retry-After says in how many seconds to come back."""

    slug, status, title = "too-many-requests", 429, "Too many requests"

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 1, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, retry_after_seconds)), **(headers or {})})


class ServiceUnavailable(Problem):
    """Something that this service needs is not there at the moment; Retry-After says in how many seconds to come back."""

    slug, status, title = "service-unavailable", 503, "The service is not available at the moment"

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 1, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, retry_after_seconds)), **(headers or {})})
