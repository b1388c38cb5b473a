"""Where a gateway is to run: what differs between a developer's machine, docker compose and Kubernetes, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["local", "compose", "kubernetes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One deployment of the gateway.

    `upstreams` maps a name of the routes table to `host:port`, several separated by commas; a route whose upstream is not
    given is not rendered. `origins` are the browser origins that may call the API with credentials. `docs_folder` holds the
    API pages (`write_site`); without it there are no pages. `hsts_seconds` of 0 sends no HSTS header. `trusted_hops` is the
    number of proxies in front of the gateway whose X-Forwarded-For is believed. `rate_factor` widens every rate limit.
    """

    kind: Kind
    upstreams: Mapping[str, str]
    port: int = 8080
    admin_port: int = 9901
    origins: Sequence[str] = ()
    hosts: Sequence[str] = ("*",)
    docs_folder: Path | str | None = None
    issuer: str = "https://bloom.local/auth"
    audience: str = "bloom"
    jwks_path: str = "/.well-known/jwks.json"
    hsts_seconds: int = 0
    trusted_hops: int = 0
    rate_factor: float = 1.0
    timeout_seconds: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown kind of target: {self.kind}")
        if "auth" not in self.upstreams:
            raise ValueError("an upstream 'auth' is needed: the keys of access tokens come from there")
        if "*" in self.origins:
            raise ValueError("an origin of '*' would let every website act for a signed-in user: list the origins")
        for name, addresses in self.upstreams.items():
            endpoints(name, addresses)

    @property
    def address(self) -> str:
        """The address that the gateway listens on: loopback on a developer's machine, every interface in a container."""
        return "127.0.0.1" if self.kind == "local" else "0.0.0.0"  # noqa: S104  # a container's own network namespace


def endpoints(name: str, addresses: str) -> tuple[tuple[str, int], ...]:
    """The hosts and ports in `host:port,host:port`; raises ValueError, naming the upstream, when it cannot be read."""
    found = []
    for address in addresses.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"upstream {name}: {address!r} is not host:port")
        found.append((host, int(port)))
    return tuple(found)


_PORTS: Mapping[str, int] = {
    "auth": 8101,
    "appointments": 8102,
    "billing": 8103,
    "messaging": 8104,
    "ml-scoring": 8105,
    "notifications": 8106,
    "analytics": 8107,
}
_SOCKETS: Mapping[str, int] = {"messaging-socket": 8134}
_ON_THIS_MACHINE: Mapping[str, str] = {name: f"127.0.0.1:{port}" for name, port in {**_PORTS, **_SOCKETS}.items()}
_BY_NAME: Mapping[str, str] = {
    **{service: f"{service}-api:{port}" for service, port in _PORTS.items()},
    **{name: f"{name}:{port}" for name, port in _SOCKETS.items()},
}

_PRESETS: Mapping[Kind, Target] = {
    "local": Target(
        kind="local",
        upstreams=_ON_THIS_MACHINE,
        origins=("http://localhost:3000", "http://127.0.0.1:3000"),
    ),
    "compose": Target(
        kind="compose",
        upstreams=_BY_NAME,
        origins=("http://localhost:3000", "http://127.0.0.1:3000"),
    ),
    "kubernetes": Target(
        kind="kubernetes",
        upstreams=_BY_NAME,
        hsts_seconds=31_536_000,
        trusted_hops=1,
    ),
}


def preset(kind: Kind) -> Target:
    """The usual target of a kind: its standard ports and names; change single fields with `dataclasses.replace`."""
    return _PRESETS[kind]
