"""A real Envoy in front of small servers that remember what reached them."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

import gateway

# Built once: httpx would otherwise read the certificate store for every request.
TLS = ssl.create_default_context()
SERVICES = ("auth", "appointments", "billing", "messaging", "ml-scoring", "notifications", "analytics")
ISSUER = "https://bloom.example.test/auth"


@dataclass
class Received:
    """One request as it reached a service."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Answers what the address asks for, and remembers every request but health checks."""

    protocol_version = "HTTP/1.1"
    upstream: ClassVar[Upstream]

    def setup(self) -> None:
        super().setup()
        self.upstream.connections.add(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Write nothing."""

    def answer(self) -> None:
        if self.path == "/health/ready":
            self.reply(200 if self.upstream.ready else 503, {})
        elif self.path == "/.well-known/jwks.json":
            self.reply(200, self.upstream.jwks)
        else:
            self.remember()

    def __getattr__(self, name: str) -> Any:
        """The base class looks for do_GET, do_POST and so on: all of them answer alike."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def remember(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.upstream.received.append(Received(self.command, self.path, headers, body))
        if headers.get("upgrade") == "websocket":
            self.speak()
        elif "/dies" in self.path and self.upstream.deaths_left > 0:
            self.upstream.deaths_left -= 1
            self.close_connection = True
        elif "/stream" in self.path:
            self.tell()
        elif "/slow" in self.path:
            self.upstream.released.wait(5)
            self.close_connection = True
        else:
            self.reply(200, {"service": self.upstream.name})

    def reply(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-powered-by", "a secret")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def tell(self) -> None:
        """Send events, each when the test says so, until it has had enough."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while event := self.upstream.told.get(timeout=10):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def speak(self) -> None:
        """Answer one WebSocket upgrade and send every byte back until the peer leaves."""
        self.send_response_only(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.end_headers()
        with contextlib.suppress(OSError):
            while data := self.connection.recv(1024):
                self.connection.sendall(data)
        self.close_connection = True


@dataclass
class Upstream:
    """A small service on a free port."""

    name: str
    ready: bool = True
    jwks: dict[str, Any] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    deaths_left: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    told: queue.Queue[bytes] = field(default_factory=queue.Queue)
    server: ThreadingHTTPServer | None = None
    connections: set[socket.socket] = field(default_factory=set)

    def start(self, port: int = 0) -> None:
        handler = type(f"{self.name}Handler", (Handler,), {"upstream": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self.told.put(b"")
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.server = None

    @property
    def port(self) -> int:
        assert self.server is not None
        return int(self.server.server_address[1])


@dataclass
class Edge:
    """A running gateway with its services, and a maker of access tokens."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    upstreams: dict[str, Upstream]
    key: OKPKey

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def token(self, *, key: OKPKey | None = None, algorithm: str = "EdDSA", **claims: Any) -> str:
        now = int(time.time())
        default = {"iss": ISSUER, "aud": "bloom", "sub": str(uuid4()), "iat": now, "exp": now + 600}
        signing = key or self.key
        header = {"alg": algorithm, "kid": signing.kid}
        merged = {name: value for name, value in {**default, **claims}.items() if value is not None}
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # EdDSA has a second name since RFC 9864
            return str(jwt.encode(header, merged, signing, algorithms=[algorithm]))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def request(
        self, method: str, path: str, *, token: str | None = "", headers: dict[str, str] | None = None, **rest: Any
    ) -> httpx.Response:
        """One request; with a good token unless another or none is given."""
        bearer = self.token() if token == "" else token
        authorization = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return httpx.request(
            method, self.url + path, headers={**authorization, **(headers or {})}, timeout=10, verify=TLS, **rest
        )

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def last_received(self, service: str) -> Received:
        return self.upstreams[service].received[-1]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(true: Callable[[], bool], *, seconds: float = 10, pause: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


def started(edge: Edge) -> bool:
    """Whether the gateway says that it is ready; fails at once, with Envoy's own words, when it has ended."""
    assert edge.process.poll() is None, edge.log.with_name("envoy.log").read_text()
    return answers(f"{edge.url}/health", 200)


def answers(url: str, status: int) -> bool:
    try:
        return httpx.get(url, timeout=2, verify=TLS).status_code == status
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def running_edge(
    folder: Path, *, extra: tuple[str, ...] = (), sizes: dict[str, int] | None = None, **changes: Any
) -> Iterator[Edge]:
    """Start small services and a gateway before them, with some of its sizes changed; everything is stopped at the end."""
    key = OKPKey.generate_key("Ed25519", {"kid": "first", "use": "sig", "alg": "EdDSA"})
    upstreams = {name: Upstream(name) for name in (*SERVICES, *extra)}
    upstreams["auth"].jwks = {"keys": [key.as_dict(private=False)]}
    for upstream in upstreams.values():
        upstream.start()
    addresses = {name: f"127.0.0.1:{upstream.port}" for name, upstream in upstreams.items()}
    port = free_port()
    target = gateway.Target(kind="local", upstreams=addresses, port=port, admin_port=free_port(), issuer=ISSUER, **changes)
    openapi = folder / "openapi.json"
    openapi.write_text('{"openapi": "3.1.0", "info": {"title": "Bloom", "version": "1"}, "paths": {}}')
    usual = gateway.load_table()
    table = replace(usual, sizes={**usual.sizes, **(sizes or {})})
    command = gateway.envoy_command(gateway.prepare(target, folder, openapi=openapi, table=table), concurrency=1)
    log = folder / "access.log"
    with log.open("wb") as output, (folder / "envoy.log").open("wb") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
    edge = Edge(f"http://127.0.0.1:{port}", process, log, upstreams, key)
    try:
        wait_until(lambda: started(edge))
        wait_until(lambda: edge.get("/api/invoices").status_code == 200)
        yield edge
    finally:
        process.terminate()
        process.wait(10)
        for upstream in upstreams.values():
            upstream.stop()


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One gateway for all tests that leave it as it was; its rate limits are wide."""
    folder = tmp_path_factory.mktemp("gateway")
    with running_edge(folder, rate_factor=1000.0, origins=("https://app.example.test",), hsts_seconds=600) as running:
        yield running


@pytest.fixture
def edge_with(tmp_path: Path) -> Iterator[Callable[..., Edge]]:
    """Start a gateway of this test's own, with any field of `Target`, extra upstreams and other sizes."""
    with contextlib.ExitStack() as stack:
        yield lambda **changes: stack.enter_context(running_edge(tmp_path, **changes))
