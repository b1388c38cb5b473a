"""Logs: JSON lines with ids, out of which secrets and personal data are taken."""

import io
import json
import logging

import asyncpg
import pytest
import structlog

from service_kit.logs import ACCESS_LOG, configure_logging, describe_exception, get_logger, request_id
from service_kit.tracing import span


@pytest.fixture
def lines():
    """The lines logged since, as dictionaries; what the test has set up is undone at its end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(service="sample", level="INFO", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    ACCESS_LOG.open("", None)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_a_fact_is_one_json_line_with_service_time_and_level(lines):
    get_logger("sample.notes").info("note.written", note_id="n-1")
    (line,) = lines()
    assert line["event"] == "note.written"
    assert line["note_id"] == "n-1"
    assert line["service"] == "sample"
    assert line["level"] == "info"
    assert line["at"].endswith("Z")


def test_lines_of_other_libraries_look_the_same(lines):
    logging.getLogger("some.library").warning("gone after %s tries", 3)
    assert lines()[0]["event"] == "gone after 3 tries"
    assert lines()[0]["service"] == "sample"


def test_a_line_says_which_request_and_which_trace_it_belongs_to(lines):
    token = request_id.set("r-1")
    with span("work") as opened:
        get_logger("sample").info("note.read")
    request_id.reset(token)
    assert lines()[0]["request_id"] == "r-1"
    assert lines()[0]["trace_id"] == f"{opened.get_span_context().trace_id:032x}"


PRIVATE_NAMES = [
    *("password", "new_password", "email", "mail", "access_token", "authorization", "set_cookie", "phone"),
    *("display_name", "first_name", "database_url", "birth", "body"),
]


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_what_has_a_private_name_is_taken_out(lines, name):
    get_logger("sample").info("note.read", **{name: "private-thing"}, inner={name: "private-thing"})
    assert "private-thing" not in json.dumps(lines())


@pytest.mark.parametrize(
    "text",
    [
        "mail robin@example.test is taken",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "Authorization: Bearer abcdefgh12345",
        "postgresql://sample_app:pass-word-1@127.0.0.1/sample",
    ],
)
def test_what_looks_private_is_taken_out_wherever_it_stands(lines, text):
    get_logger("sample").info(text, note=text, more=[{"deep": text}])
    written = json.dumps(lines())
    for private in ("robin@example.test", "eyJhbGci", "abcdefgh12345", "pass-word-1"):
        assert private not in written


def test_an_exception_is_told_by_class_and_place_and_never_by_its_text(lines):
    try:
        raise ValueError("robin was here")
    except ValueError:
        get_logger("sample").exception("note.failed")
    (line,) = lines()
    assert line["failure"]["error"] == "ValueError"
    assert "test_logs.py" in line["failure"]["frames"][-1]
    assert "robin" not in json.dumps(line)


def test_a_database_error_is_told_by_state_and_constraint(lines):
    error = asyncpg.UniqueViolationError("duplicate key value")
    error.detail = "Key (email)=(robin@example.test) already exists."
    error.constraint_name = "people_email_key"
    described = describe_exception(error)
    assert described["sqlstate"] == "23505"
    assert described["constraint"] == "people_email_key"
    assert "robin" not in str(described)


def test_debug_lines_are_left_out_at_info(lines):
    get_logger("sample").debug("note.detail")
    assert lines() == []


def test_a_value_that_is_no_json_does_not_break_the_line(lines):
    get_logger("sample").info("note.read", thing=object())
    assert lines()[0]["thing"] == "object"


async def test_an_answered_request_is_one_line_with_template_status_and_ids(lines, client):
    await client.get("/notes/robin@example.test?mail=robin@example.test", headers={"X-Request-Id": "r-7"})
    (line,) = lines()
    assert (line["event"], line["method"], line["route"], line["status"]) == ("http.answered", "GET", "/notes/{note_id}", 401)
    assert (line["request_id"], line["service"]) == ("r-7", "sample")
    assert line["ms"] >= 0
    assert len(line["trace_id"]) == 32
    assert "robin" not in json.dumps(line)


async def test_probes_are_not_logged(lines, client):
    await client.get("/health/live")
    await client.get("/metrics")
    assert lines() == []
