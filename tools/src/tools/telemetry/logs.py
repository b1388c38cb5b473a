"""Every line that the code logs, read off its source: event names, levels, fields. What cannot be read there is refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from tools.steps import ROOT

LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
_LOGGERS = frozenset({"log", "_log"})
EVERY_LINE = {
    "event": "What happened: the name of the event.",
    "level": "`debug`, `info`, `warning`, `error` or `critical`.",
    "logger": "The module that says so.",
    "at": "When, in UTC, as ISO 8601.",
    "service": "Which service.",
    "request_id": "The request that was being answered, where one was.",
    "trace_id": "The trace that was open, where one was.",
}
"""What stands in every line."""

FAILURE = {
    "error": "The class of the error.",
    "frames": "Where in the code it was raised: files, lines and functions.",
    "sqlstate": "PostgreSQL's code of it, where it came from there.",
    "constraint": "The constraint that was broken, where one was.",
    "cause": "The class of the error behind it.",
}
"""What stands below `failure`, which `exc_info` becomes: never an error's text, because it may repeat what somebody wrote."""

OF_ITS_EVENT = "(the type of the event)"


class UnreadableLineError(ValueError):
    """A line is logged whose name or fields the source does not say outright."""


@dataclass(frozen=True, slots=True)
class Line:
    """One call of a logger: the name of the event, the level, the fields, and the package it is in."""

    event: str
    level: str
    fields: tuple[str, ...]
    package: str


@cache
def lines() -> tuple[Line, ...]:
    """All of them, each once, by package and name."""
    paths = [path for group in ("libs", "services") for path in sorted((ROOT / group).glob("*/src/**/*.py"))]
    found = {line for path in paths for line in lines_of(path)}
    return tuple(sorted(found, key=lambda line: (line.package, *astuple(line))))


def lines_of(path: Path, *, root: Path = ROOT) -> Iterator[Line]:
    """Those of one file; raises UnreadableLineError for a name that is put together, or fields that come from elsewhere."""
    tree, place = ast.parse(path.read_text()), path.relative_to(root)
    package = path.parts[path.parts.index("src") + 1]
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            known = dict(_literal_dicts(function))
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _is_logging(node):
                    yield Line(_event(node, place), _level(node), tuple(sorted(_fields(node, known, place))), package)
                elif isinstance(node, ast.Dict) and (written := _written_line(node)):
                    yield Line(*written, package)


def _is_logging(call: ast.Call) -> bool:
    target = call.func
    return (
        isinstance(target, ast.Attribute)
        and target.attr in LEVELS
        and isinstance(target.value, ast.Name)
        and target.value.id in _LOGGERS
    )


def _level(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _event(call: ast.Call, place: Path) -> str:
    name = call.args[0] if call.args else None
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return name.value
    if isinstance(name, ast.Attribute) and name.attr == "TYPE":
        return OF_ITS_EVENT
    raise UnreadableLineError(f"{place}:{call.lineno}: the name of a log line is one string in the source")


def _fields(call: ast.Call, known: dict[str, list[str]], place: Path) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield "failure" if keyword.arg == "exc_info" else keyword.arg
        elif isinstance(keyword.value, ast.Name) and keyword.value.id in known:
            yield from known[keyword.value.id]
        else:
            raise UnreadableLineError(f"{place}:{call.lineno}: fields come from a dict that is not written out beside it")


def _literal_dicts(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, list[str]]]:
    """Dicts that are written out with names as keys, by the variable that holds them."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and isinstance(node.targets[0], ast.Name):
            keys = _keys(node.value)
            if keys is not None:
                yield node.targets[0].id, keys


def _keys(written: ast.Dict) -> list[str] | None:
    keys = [key.value for key in written.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return keys if len(keys) == len(written.keys) else None


def _written_line(node: ast.Dict) -> tuple[str, str, tuple[str, ...]] | None:
    """A line that is written past the loggers: a dict with `event`, `level` and `logger` written out."""
    keys = _keys(node) or []
    if not {"event", "level", "logger"} <= set(keys):
        return None
    said = {key: value.value for key, value in zip(keys, node.values, strict=True) if isinstance(value, ast.Constant)}
    return str(said["event"]), str(said["level"]), tuple(sorted(set(keys) - set(EVERY_LINE)))
