"""The public keys of an issuer of tokens where processes fetch them: over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

from service_kit.testing import TokenIssuer


@contextmanager
def keys_of(issuer: TokenIssuer) -> Iterator[str]:
    """The address of the issuer's keys, as long as the block runs."""

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = orjson.dumps(issuer.jwks)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
