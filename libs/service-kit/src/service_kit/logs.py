"""Logs: one JSON line per fact, with ids and never contents; a last net takes out what looks like a secret or personal data."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import Processor

from service_kit.tracing import current_trace_id

REDACTED = "[redacted]"
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request being answered; every line logged meanwhile carries it."""

_PRIVATE_NAMES = re.compile(
    r"(pass(word|wd)?|secret|token|authorization|cookie|e?mail|phone|(first|last|full|given|family|display)_?name|address|birth|body|dsn|"
    r"database_url)$",
    re.IGNORECASE,
)
_PRIVATE_TEXT = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # mail addresses
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # JSON Web Tokens
    r"|(?i:bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password in an address
)
_QUIET = {"aiokafka": logging.WARNING, "faust": logging.WARNING, "mode": logging.WARNING, "asyncio": logging.WARNING,
          "httpx": logging.WARNING, "httpcore": logging.WARNING, "uvicorn.access": logging.CRITICAL}  # fmt: skip


_FLUSH_SECONDS = 0.05


class AccessLog:
    """Writes the line of an answered request past the logging machinery, which took a third of a small request's time.

    It needs no redaction: it takes nothing but a method, a route template, a status and a duration.
    """

    def __init__(self) -> None:
        self._write: Callable[[str], object] | None = None
        self._flush: Callable[[], object] = lambda: None
        self._flush_is_due = False
        self._service = ""

    def open(self, service: str, stream: TextIO | None) -> None:
        """From now on writes to `stream`, or nowhere for None."""
        self._service = service
        self._flush_is_due = False
        self._write, self._flush = (stream.write, stream.flush) if stream else (None, lambda: None)

    def answered(self, method: str, route: str, status: int, milliseconds: float) -> None:
        """One request was answered; request id and trace id come from the context."""
        if self._write is None:
            return
        line = {
            "event": "http.answered", "level": "info", "logger": "access", "at": datetime.now(UTC).isoformat(),
            "service": self._service, "method": method, "route": route, "status": status, "ms": milliseconds,
            "request_id": request_id.get(), "trace_id": current_trace_id(),
        }  # fmt: skip
        self._write(orjson.dumps(line).decode() + "\n")
        self._flush_soon()

    def _flush_soon(self) -> None:
        """Hands the lines of 50 ms to the system at once: a call of it for each took 6 us of every request."""
        if self._flush_is_due:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush()
        else:
            self._flush_is_due = True
            loop.call_later(_FLUSH_SECONDS, self._flush_now)

    def _flush_now(self) -> None:
        self._flush_is_due = False
        self._flush()


ACCESS_LOG = AccessLog()
"""The access log of this process; `configure_logging` opens it."""


def configure_logging(*, service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sends every log line of this process, from structlog and from the standard library, to `stream` (stdout) as JSON."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _Origin(service),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    stream = stream or sys.stdout
    ACCESS_LOG.open(service, stream if logging.getLevelNamesMapping()[level] <= logging.INFO else None)
    handler = logging.StreamHandler(stream)
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _failure, redact, _render]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", *_QUIET):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log.info("event.name", some_id=...)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Takes out of a log line whatever has a private name, or looks like a mail address, a token or a password in an address."""
    for name, value in event.items():
        event[name] = REDACTED if _is_private(name, value) else _cleaned(value)
    return event


def describe_exception(error: BaseException) -> dict[str, Any]:
    """An exception as class names and places in the code; its text stays out, because drivers and parsers put values into it."""
    frames = [
        f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    described: dict[str, Any] = {"error": type(error).__name__, "frames": frames[-12:]}
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate:
        described |= {"sqlstate": sqlstate, "constraint": getattr(error, "constraint_name", None)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = type(cause).__name__
    return described


class _Origin:
    """Adds the service, the request and the trace that a line belongs to."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = self._service
        for name, value in (("request_id", request_id.get()), ("trace_id", current_trace_id())):
            if value is not None:
                event.setdefault(name, value)
        return event


def _failure(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["failure"] = describe_exception(error)
    return event


def _is_private(name: str, value: object) -> bool:
    if value in ("set", "unset") or not isinstance(value, (str, bytes, Mapping, list, tuple)):
        return False
    return _PRIVATE_NAMES.search(name) is not None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _PRIVATE_TEXT.sub(REDACTED, value)
    if isinstance(value, Mapping):
        return {name: REDACTED if _is_private(str(name), item) else _cleaned(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]
    return value


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=lambda value: type(value).__name__, option=orjson.OPT_NON_STR_KEYS).decode()
