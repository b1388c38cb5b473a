"""A small server that speaks Google Cloud Storage's API as its own SDK uses it: the JSON API, and links signed in version 4.

It checks the signature of a link with the service account's public key, and all that the link binds, as Google documents it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ACCESS_TOKEN = "token-of-the-fake"
ACCOUNT = "attachments@bloom-test.iam.gserviceaccount.com"


@dataclass
class StoredObject:
    content: bytes
    content_type: str
    generation: int


@dataclass
class FakeGcs:
    """One bucket in memory. `url` is its endpoint; `credentials` is the JSON of a service account that it knows."""

    bucket: str = "bloom-attachments"
    url: str = ""
    is_down: bool = False
    objects: dict[str, StoredObject] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def credentials(self) -> str:
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "bloom-test",
                "private_key_id": "one",
                "private_key": private.decode(),
                "client_email": ACCOUNT,
                "client_id": "1",
                "token_uri": f"{self.url}/token",
            }
        )

    def put(self, name: str, content: bytes, content_type: str) -> None:
        self.objects[name] = StoredObject(content, content_type, len(self.objects) + 1)

    def metadata(self, name: str) -> dict[str, Any]:
        stored = self.objects[name]
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": self.bucket,
            "contentType": stored.content_type,
            "size": str(len(stored.content)),
            "generation": str(stored.generation),
        }


@contextmanager
def running() -> Iterator[FakeGcs]:
    """The server on a free port, as long as the block runs."""
    fake = FakeGcs()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeGcs
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.fake.is_down:
            self._answer(503, b"{}")
            return
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path == "/token":
            self._answer(200, json.dumps({"access_token": ACCESS_TOKEN, "expires_in": 3600, "token_type": "Bearer"}).encode())
        elif "X-Goog-Signature" in query:
            self._serve_link(parts.path, query, body)
        else:
            self._serve_api(parts.path, query)

    def _serve_api(self, path: str, query: dict[str, str]) -> None:
        before, _, name = path.partition(f"/storage/v1/b/{self.fake.bucket}/o/")
        name = unquote(name)
        if self.headers.get("Authorization") != f"Bearer {ACCESS_TOKEN}":
            self._answer(401, b"{}")
        elif name not in self.fake.objects:
            self._answer(404, b'{"error": {"code": 404, "message": "No such object"}}')
        elif self.command == "DELETE":
            del self.fake.objects[name]
            self._answer(204, b"")
        elif before == "/download":
            stored = self.fake.objects[name]
            wanted = query.get("ifGenerationMatch", str(stored.generation))
            self._answer(*((200, stored.content) if wanted == str(stored.generation) else (412, b"")))
        else:
            self._answer(200, json.dumps(self.fake.metadata(name)).encode())

    def _serve_link(self, path: str, query: dict[str, str], body: bytes) -> None:
        name = unquote(path).removeprefix(f"/{self.fake.bucket}/")
        if not self._is_signed(path, query):
            self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        elif self.command == "PUT":
            self._take(name, body)
        elif name in self.fake.objects:
            given = {"Content-Type": query["response-content-type"], "Content-Disposition": query["response-content-disposition"]}
            self._answer(200, self.fake.objects[name].content, given)
        else:
            self._answer(404, b"")

    def _take(self, name: str, body: bytes) -> None:
        least, _, most = self.headers.get("x-goog-content-length-range", "0,0").partition(",")
        if not int(least) <= len(body) <= int(most):
            self._answer(400, b"<Error><Code>EntityTooLarge</Code></Error>")
        elif self.headers.get("x-goog-if-generation-match") == "0" and name in self.fake.objects:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self.fake.put(name, body, self.headers["Content-Type"])
            self._answer(200, b"")

    def _is_signed(self, path: str, query: dict[str, str]) -> bool:
        signature = bytes.fromhex(query.pop("X-Goog-Signature"))
        began = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        names = query["X-Goog-SignedHeaders"].split(";")
        headers = "".join(f"{name}:{self.headers.get(name, '').strip()}\n" for name in names)
        asked = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
        request = "\n".join((self.command, path, asked, headers, ";".join(names), "UNSIGNED-PAYLOAD"))
        account, _, scope = query["X-Goog-Credential"].partition("/")
        digest = hashlib.sha256(request.encode()).hexdigest()
        signed = "\n".join(("GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, digest))
        try:
            self.fake.key.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return account == ACCOUNT and datetime.now(UTC) < began + timedelta(seconds=int(query["X-Goog-Expires"]))

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
