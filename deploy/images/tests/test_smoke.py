"""Asking an environment from outside: it counts as serving when the gateway and a service behind it answer, and not before."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from images.smoke import PATHS, await_answers


class Answers(BaseHTTPRequestHandler):
    """Answers each path with the next of the statuses that it is given."""

    statuses: ClassVar[dict[str, list[int]]] = {}

    def do_GET(self) -> None:
        waiting = self.statuses.get(self.path, [404])
        self.send_response(waiting.pop(0) if len(waiting) > 1 else waiting[0])
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


@pytest.fixture
def gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_waits_through_a_start_until_everything_answers(gateway: str) -> None:
    paused: list[float] = []
    Answers.statuses = {PATHS[0]: [503, 200], PATHS[1]: [503, 503, 200]}
    await_answers(gateway, pause=paused.append)
    assert len(paused) == 2


def test_a_gateway_without_its_services_is_named_by_the_path_that_fails(gateway: str) -> None:
    Answers.statuses = {PATHS[0]: [200], PATHS[1]: [503]}
    with pytest.raises(TimeoutError, match=PATHS[1]):
        await_answers(gateway, limit_seconds=0, pause=lambda _: None)


def test_an_environment_that_is_away_is_no_success() -> None:
    with pytest.raises(TimeoutError):
        await_answers("http://127.0.0.1:1", limit_seconds=0, pause=lambda _: None)


def test_what_is_no_web_address_is_refused() -> None:
    with pytest.raises(ValueError, match="set URL"):
        await_answers("file:///nowhere")
