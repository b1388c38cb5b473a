"""Messaging's internal route with keys of its own making, on a thread: what the scorer asks for in a benchmark."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from local_stack.ports import HOST


def key_of(conversation_id: UUID) -> bytes:
    """The one key of a conversation."""
    return sha256(conversation_id.bytes).digest()


class ConversationKeyServer:
    """Gives everybody the key of every conversation."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # the name that http.server calls
                conversation_id = UUID(self.path.split("/")[3])
                body = json.dumps({"key": b64encode(key_of(conversation_id)).decode()}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's signature
                """Say nothing per request."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self._server.server_port}"

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
