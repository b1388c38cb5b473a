"""What is said about a failure: that something is away, which passes, or that there is a bug. Never what a text of it holds."""

from __future__ import annotations

from messaging.socket import metrics
from service_kit.database import is_unavailable
from service_kit.errors import ServiceUnavailable
from service_kit.logs import describe_exception, get_logger

_log = get_logger(__name__)


def is_away(error: BaseException) -> bool:
    """Whether the same will work a little later: the database, or the keeper of keys, is away."""
    return isinstance(error, ServiceUnavailable) or is_unavailable(error)


def note(error: Exception, where: str) -> None:
    """Writes a failure down, and counts a bug."""
    if is_away(error):
        _log.warning("socket.away", where=where, error=type(error).__name__)
    else:
        metrics.BUGS.labels(where).inc()
        _log.error("socket.unexpected_error", where=where, failure=describe_exception(error))
