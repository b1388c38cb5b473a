"""Renders the Envoy configuration of a target from the routes table and the one template."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.table import Route, Table, load_table
from gateway.target import Target, endpoints

_READS = ("GET", "HEAD")

# Nothing that a client says about its own address, its identity or our routing may reach a service.
_SPOOFABLE = (
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-client-cert",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "x-tenant-id",
    "baggage",
)

_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_PAGES_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def render(target: Target, table: Table | None = None) -> str:
    """The Envoy configuration, as YAML, of this target."""
    environment = Environment(  # noqa: S701  # YAML, not HTML: every value goes through the filter `json` instead
        loader=PackageLoader("gateway"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["json"] = json.dumps
    rendered: str = environment.get_template("envoy.yaml.j2").render(_values(target, table or load_table()))
    return rendered


def _values(target: Target, table: Table) -> dict[str, Any]:
    """Everything that the template says, by name."""
    return {
        "target": target,
        "table": table,
        "limits": {name: limit.scaled(target.rate_factor) for name, limit in table.limits.items()},
        "timeout_seconds": target.timeout_seconds or table.sizes["timeout_seconds"],
        "matches": [match for route in table.routes if route.upstream in target.upstreams for match in _matches(route)],
        "clusters": {name: endpoints(name, addresses) for name, addresses in sorted(target.upstreams.items())},
        "socket_clusters": {route.upstream for route in table.routes if route.websocket},
        "security_headers": _security_headers(target),
        "pages_policy": _PAGES_POLICY,
        "spoofable_headers": _SPOOFABLE,
        "too_long": _longer_than(table.sizes["url_characters"]),
    }


def _matches(route: Route) -> list[dict[str, Any]]:
    """The route once for reads, which may be repeated, and once for everything else, which may not; a socket's route once."""
    if route.websocket:
        return [{"route": route, "reads": False, "methods": "GET"}]
    methods = "|".join(_READS)
    return [{"route": route, "reads": True, "methods": methods}, {"route": route, "reads": False, "methods": None}]


def _security_headers(target: Target) -> dict[str, str]:
    """The headers that every answer carries, whoever made it."""
    headers = {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
        "content-security-policy": _API_POLICY,
    }
    if target.hsts_seconds:
        headers["strict-transport-security"] = f"max-age={target.hsts_seconds}; includeSubDomains"
    return headers


def _longer_than(characters: int) -> str:
    """A pattern for texts of more characters than that; RE2 repeats at most 1,000 times in one go."""
    whole, rest = divmod(characters, 1000)
    return ".{1000}" * whole + f".{{{rest}}}" * bool(rest) + ".+"
