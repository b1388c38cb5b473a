"""The routes table: what `routes.toml` says, as checked and frozen values."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Access = Literal["public", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the table: a path or prefix, the upstream that answers it, and who may ask how often.

    The answer of a `stream` goes on for as long as something comes; a `page` may load scripts and styles from the gateway.
    """

    name: str
    upstream: str
    limit: str
    path: str = ""
    prefix: str = ""
    access: Access = "token"
    websocket: bool = False
    stream: bool = False
    page: bool = False
    timeout_seconds: int = 0
    body_bytes: int = 0

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.prefix):
            raise ValueError(f"route {self.name}: give either a path or a prefix")
        if not (self.path or self.prefix).startswith("/") or (self.path or self.prefix).endswith("/"):
            raise ValueError(f"route {self.name}: a path starts with a slash and ends without one")
        if self.covers("/internal") or (self.path or self.prefix).startswith("/internal/"):
            raise ValueError(f"route {self.name}: what services ask each other never passes the gateway")
        if self.websocket and self.body_bytes:
            raise ValueError(f"route {self.name}: a socket has no body")
        if self.stream and (self.websocket or self.timeout_seconds):
            raise ValueError(f"route {self.name}: a stream is no socket and has no time limit")

    @property
    def template(self) -> str:
        """The path as it is written in documents: the exact path, or the prefix with `/*`."""
        return self.path or f"{self.prefix}/*"

    def covers(self, path: str) -> bool:
        """Whether this row matches a path that has already been normalised."""
        return path == self.path or bool(self.prefix and (path == self.prefix or path.startswith(f"{self.prefix}/")))


@dataclass(frozen=True, slots=True)
class Limit:
    """How many requests one client address may send at once, and the seconds over which that many are given back."""

    requests: int
    seconds: int

    def scaled(self, factor: float) -> Limit:
        """The same limit, `factor` times as wide and never below one request."""
        return Limit(max(1, round(self.requests * factor)), self.seconds)

    @property
    def fill_milliseconds(self) -> int:
        """The time after which one more request is allowed; Envoy refills no faster than every 50 ms."""
        return max(50, self.seconds * 1000 // self.requests)

    @property
    def tokens_per_fill(self) -> int:
        """How many requests each refill gives back."""
        return max(1, round(self.requests * self.fill_milliseconds / (self.seconds * 1000)))


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One error that the gateway answers by itself: its HTTP status, slug and constant title."""

    status: int
    slug: str
    title: str


@dataclass(frozen=True, slots=True)
class Page:
    """One file of the API pages: its path at the gateway, its name in the pages' folder and its content type."""

    path: str
    file: str
    content_type: str


PAGES = (
    Page("/docs", "index.html", "text/html; charset=utf-8"),
    Page("/docs/start.js", "start.js", "text/javascript; charset=utf-8"),
    Page("/docs/swagger-ui-bundle.js", "swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    Page("/docs/swagger-ui.css", "swagger-ui.css", "text/css; charset=utf-8"),
    Page("/docs/favicon.png", "favicon-32x32.png", "image/png"),
    Page("/openapi.json", "openapi.json", "application/json"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table; `routes` are ordered as the gateway tries them, most specific first."""

    routes: tuple[Route, ...]
    limits: Mapping[str, Limit]
    capacity: Mapping[str, int]
    sizes: Mapping[str, int]
    problems: tuple[ProblemRow, ...]
    pages: tuple[Page, ...] = PAGES

    def route_for(self, path: str) -> Route | None:
        """The row that answers a path, or None when the gateway answers 404."""
        return next((route for route in self.routes if route.covers(path)), None)

    def problem(self, status: int) -> ProblemRow:
        """The problem that the gateway answers with under this status; raises KeyError when it has none."""
        found = {row.status: row for row in self.problems}
        return found[status]


def read_table(text: str) -> Table:
    """Read a table from TOML; raises ValueError where a row makes no sense."""
    raw: dict[str, Any] = tomllib.loads(text)
    routes = sorted((Route(**row) for row in raw["routes"]), key=lambda route: (not route.path, -len(route.prefix), route.name))
    limits = {name: Limit(**row) for name, row in raw["limits"].items()}
    unknown = {route.limit for route in routes} - set(limits)
    if unknown:
        raise ValueError(f"no such limits: {', '.join(sorted(unknown))}")
    if len({route.name for route in routes}) != len(routes):
        raise ValueError("two routes have the same name")
    return Table(tuple(routes), limits, raw["capacity"], raw["sizes"], tuple(ProblemRow(**row) for row in raw["problems"]))


@cache
def load_table() -> Table:
    """The table of this repository, read once."""
    return read_table(files("gateway").joinpath("routes.toml").read_text())
