"""Processes: the first signal lets work in hand finish, the second one ends at once; wrong settings refuse to start."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from service_kit.process import START_FAILED

BROKEN_API = """
from contextlib import asynccontextmanager

@asynccontextmanager
async def broken(app):
    raise OSError("robin was here")
    yield

run_api(lambda settings: create_service_app(settings, title="Sample", routers=[router], resources=[broken]), Settings())
"""
WORK = """
async def work(stop):
    print("WORKING", flush=True)
    await stop.wait()
    print("STOPPING", flush=True)
    await asyncio.sleep(SECONDS)
    print("FINISHED", flush=True)

run_until_signal(work, limit_seconds=LIMIT)
"""


@pytest.fixture
def api(start):
    process = start()
    process.wait_for("Uvicorn running")
    return process


def test_an_open_request_is_answered_before_the_process_ends(api):
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, f"http://127.0.0.1:{api.port}/slow?seconds=0.4", timeout=10)
        api.wait_for("WORKING")
        api.child.send_signal(signal.SIGTERM)
        assert answer.result().json() == {"done": "yes"}
    assert api.end() == 0
    assert '"event":"process.ended"' in api.output


def test_a_second_signal_ends_the_process_at_once(api):
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, f"http://127.0.0.1:{api.port}/slow?seconds=30", timeout=20)
        api.wait_for("WORKING")
        api.child.send_signal(signal.SIGTERM)
        api.wait_for("Waiting for")
        api.child.send_signal(signal.SIGTERM)
        assert api.end() == 128 + signal.SIGTERM
        assert isinstance(answer.exception(), httpx.HTTPError)


def test_a_request_that_outlasts_the_limit_is_cut_off(start):
    process = start(SAMPLE_SHUTDOWN_LIMIT_SECONDS="0.5")
    process.wait_for("Uvicorn running")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, f"http://127.0.0.1:{process.port}/slow?seconds=30", timeout=20)
        process.wait_for("WORKING")
        began = time.monotonic()
        process.child.send_signal(signal.SIGINT)
        process.end()
        assert time.monotonic() - began < 5
        assert answer.exception() is not None or answer.result().status_code >= 500


@pytest.mark.promise("PL20")
def test_the_api_starts_while_postgresql_is_away_and_says_so(api):
    assert httpx.get(f"http://127.0.0.1:{api.port}/health/live").status_code == 200
    ready = httpx.get(f"http://127.0.0.1:{api.port}/health/ready")
    assert ready.status_code == 503
    assert ready.json()["checks"] == {"database": "ConnectionRefusedError"}
    assert "server" not in ready.headers


def test_a_body_without_end_is_refused_and_the_connection_closed(api):
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    head = b"POST /slow HTTP/1.1\r\nHost: sample\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
        connection.sendall(head + chunk * 70)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"urn:bloom:problem:payload-too-large" in answer


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n", b"nonsense\r\n\r\n", b"GET /\x01 HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_http_is_refused_without_repeating_it(api, head):
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"nonsense" not in answer


def test_every_line_of_a_process_is_json_and_the_first_tells_the_settings_without_secrets(start):
    process = start(SAMPLE_DATABASE_URL="postgresql://sample_app:very-secret@127.0.0.1:1/no")
    process.wait_for("Uvicorn running")
    process.child.send_signal(signal.SIGTERM)
    process.end()
    assert all(line.startswith("{") for line in process.output.splitlines())
    assert '"event":"process.started"' in process.output.splitlines()[0]
    assert "very-secret" not in process.output


def test_work_without_an_api_finishes_what_it_has_in_hand(start):
    process = start(f"SECONDS, LIMIT = 0.2, 5\n{WORK}")
    process.wait_for("WORKING")
    process.child.send_signal(signal.SIGTERM)
    assert process.end() == 0
    assert "FINISHED" in process.output


def test_work_that_outlasts_the_limit_is_cut_off_and_fails(start):
    process = start(f"SECONDS, LIMIT = 30, 0.2\n{WORK}")
    process.wait_for("WORKING")
    process.child.send_signal(signal.SIGTERM)
    assert process.end() == 1
    assert "FINISHED" not in process.output


def test_work_ends_at_once_on_a_second_signal(start):
    process = start(f"SECONDS, LIMIT = 30, 30\n{WORK}")
    process.wait_for("WORKING")
    process.child.send_signal(signal.SIGINT)
    process.wait_for("STOPPING")
    process.child.send_signal(signal.SIGINT)
    assert process.end() == 128 + signal.SIGINT


def test_work_that_fails_ends_the_process_with_a_failure_told_without_its_text(start):
    failing = WORK.replace('print("WORKING", flush=True)', 'raise OSError("robin was here")').replace("LIMIT", "1")
    process = start(f"from service_kit.logs import configure_logging\nconfigure_logging(service='sample')\n{failing}")
    assert process.end() == 1
    assert '"event":"process.failed"' in process.output
    assert '"error":"OSError"' in process.output
    assert "robin" not in process.output


def test_an_api_whose_port_is_taken_fails(start, api):
    process = start(SAMPLE_PORT=str(api.port))
    assert process.end() == START_FAILED
    assert "address already in use" in process.output


def test_an_api_that_cannot_open_what_it_needs_fails_and_says_where_without_its_text(start):
    process = start(BROKEN_API)
    assert process.end() == START_FAILED
    assert '"event":"process.start_failed"' in process.output
    assert '"error":"OSError"' in process.output
    assert "robin" not in process.output


@pytest.mark.parametrize(
    ("call", "name"), [("run_relay", "SAMPLE_RELAY_DATABASE_URL"), ("run_migrations", "SAMPLE_MIGRATION_DATABASE_URL")]
)
def test_a_process_without_its_database_refuses_to_start_and_names_the_variable(start, call, name):
    process = start(f"{call}(Settings())")
    assert process.end() == 1
    assert f"{name} is not set" in process.output


def test_migrations_that_do_not_fit_end_with_one_plain_line(start, sample_database, tmp_path):
    (tmp_path / "0001_other.sql").write_text("select 1;")
    process = start(
        "run_migrations(Settings())",
        SAMPLE_MIGRATION_DATABASE_URL=sample_database.owner_url,
        SAMPLE_MIGRATIONS_FOLDER=str(tmp_path),
    )
    assert process.end() == 1
    assert process.output.splitlines()[-1].startswith("sample: the database has run 0002_notes.sql")
