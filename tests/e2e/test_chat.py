"""Two people write to each other over the sockets of the running platform, through its gateway."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.e2e.care import CALM, Care, heard_message, line_of, lines_of
from tests.e2e.people import Practice, eventually, slug

from local_stack.errors import StackError
from local_stack.process import wait_until
from local_stack.socket_line import SocketLine

CHANGES = ("new-message", "message-edited", "message-deleted", "receipt")


@pytest.fixture(scope="module")
def care(practice: Practice) -> Care:
    return Care.of(practice)


def places(line: SocketLine, care: Care) -> list[int]:
    """The places of the changes of a conversation that a connection was told of, in the order in which they came."""
    return [
        each.data["sequence"] for each in line.heard if each.name in CHANGES and each.data["conversationId"] == care.conversation
    ]


@pytest.mark.promise("MS4")
@pytest.mark.promise("MS2")
def test_what_one_writes_everybody_in_the_conversation_has_at_once_the_sender_included(care: Care) -> None:
    with lines_of(care.patient, care.therapist, care.patient) as (patient, therapist, other_device):
        first = care.write(care.patient, CALM)
        second = care.write(care.therapist, CALM, replyToId=first["id"])
        for line in (patient, therapist, other_device):
            assert heard_message(line, first).data["message"]["body"] == first["body"]
            assert heard_message(line, second).data["message"]["replyToId"] == first["id"]
            assert places(line, care) == [first["sequence"], second["sequence"]]


def test_the_other_one_sees_who_types_who_is_there_and_what_was_read(care: Care) -> None:
    with lines_of(care.patient, care.therapist) as (patient, therapist):
        message = care.write(care.patient, CALM)
        heard_message(therapist, message)
        assert therapist.tell("typing", {"conversationId": care.conversation})["ok"]
        patient.await_event("user-typing", lambda data: data["userId"] == care.therapist.id)
        there = therapist.tell("presence", {"conversationId": care.conversation})
        assert care.patient.id in there["online"]
        assert therapist.tell("read", {"conversationId": care.conversation, "sequence": message["sequence"]})["ok"]
        read = patient.await_event("receipt", lambda data: data["memberId"] == care.therapist.id)
        assert read.data["read"] >= message["sequence"]
    listed = care.therapist.get("/api/conversations")["items"]
    assert [each["unread"] for each in listed if each["id"] == care.conversation] == [0]


@pytest.mark.promise("X5")
def test_who_lost_the_connection_resumes_from_a_place_and_misses_nothing_and_gets_nothing_twice(care: Care) -> None:
    with line_of(care.patient) as before:
        known = care.write(care.therapist, CALM)
        heard_message(before, known)
    missed = [care.write(care.therapist, CALM) for _ in range(3)]
    care.therapist.must("PATCH", f"/api/messages/{missed[0]['id']}", {"body": missed[0]["body"]})
    care.therapist.must("DELETE", f"/api/messages/{missed[1]['id']}")
    with line_of(care.patient) as after:
        resumed = after.tell("resume", {"conversationId": care.conversation, "after": known["sequence"]})
        assert resumed["ok"], resumed
        live = care.write(care.therapist, CALM)
        heard_message(after, live)
        came = places(after, care)
    assert came == list(range(known["sequence"] + 1, live["sequence"] + 1))
    feed = care.patient.get(f"/api/conversations/{care.conversation}/changes?after={known['sequence']}&limit=100")
    assert [each["sequence"] for each in feed["items"]] == came


def test_a_message_that_is_sent_again_with_its_id_is_the_same_message(care: Care) -> None:
    body: dict[str, Any] = {"conversationId": care.conversation, "body": CALM, "id": str(uuid4())}
    answers = [care.patient.post("/api/messages", body)["message"] for _ in range(2)]
    assert answers[0] == answers[1]
    other = care.patient.ask("POST", "/api/messages", {**body, "body": "Something else."})
    assert slug(other) == (409, "message-id-taken")


@pytest.mark.promise("FI2")
def test_a_file_goes_straight_to_the_store_and_comes_back_by_a_link_of_a_minute(care: Care) -> None:
    content = b"%PDF-1.7 a letter"
    attachment = care.attach(care.patient, content)
    message = care.write(care.patient, CALM, attachmentIds=[attachment])
    assert [each["id"] for each in message["attachments"]] == [attachment]
    link = care.therapist.get(f"/api/attachments/{attachment}")
    downloaded = httpx.get(link["url"], timeout=30, trust_env=False)
    assert downloaded.content == content
    assert downloaded.headers["content-disposition"].startswith("attachment")
    stranger = care.practice.patient()
    assert slug(stranger.ask("GET", f"/api/attachments/{attachment}")) == (404, "attachment-not-found")


def test_nobody_else_gets_in_and_administrators_see_no_contents(care: Care) -> None:
    message = care.write(care.patient, CALM)
    stranger, administrator = care.practice.patient(), care.practice.administrator
    with lines_of(stranger, administrator) as (outside, above):
        for line in (outside, above):
            joined = line.tell("join", {"conversationId": care.conversation})
            assert (joined["ok"], joined["error"]) == (False, "conversation-not-found")
        care.write(care.therapist, CALM)
        assert stranger.ask("GET", f"/api/conversations/{care.conversation}/messages").status_code == 404
        assert administrator.ask("GET", f"/api/conversations/{care.conversation}/messages").status_code in {403, 404}
        assert administrator.ask("GET", f"/api/messages/{message['id']}").status_code in {403, 404}
        assert places(outside, care) == places(above, care) == []


def test_what_was_written_is_in_no_refusal(care: Care) -> None:
    text = f"whispered {uuid4().hex}"
    care.practice.private.add(text)
    body = {"conversationId": care.conversation, "body": text}
    for refused in (
        {**body, "conversationId": str(uuid4())},
        {**body, "body": f"{text}\x07"},
        {**body, "body": text * 1_000},
        {**body, "body": text * 5_000},
        {**body, "to": text},
        {**body, "replyToId": str(uuid4())},
    ):
        answer = care.patient.ask("POST", "/api/messages", refused)
        assert answer.status_code in {404, 409, 413, 422}
        assert text not in answer.text
    with lines_of(care.patient) as (line,):
        assert text not in str(line.tell("typing", {"conversationId": text}))
        assert text not in str(line.tell(text, {"body": text}))


def test_a_connection_without_a_good_token_is_refused(care: Care) -> None:
    for token in ("", "not.a.token", care.patient.headers["Authorization"].removeprefix("Bearer ")[:-4] + "AAAA"):
        with pytest.raises(StackError, match="refused"), SocketLine(care.patient.url, token):
            raise AssertionError("it was let in")


def test_the_connection_of_somebody_who_signs_out_ends_at_once(care: Care) -> None:
    device = care.patient.forget()
    assert device.sign_in().status_code == 200
    with lines_of(device, care.patient) as (ending, other):
        assert device.ask("POST", "/api/auth/sign-out-everywhere").is_success
        assert wait_until(lambda: ending.ended_at is not None and other.ended_at is not None, 20)
    assert care.patient.sign_in().status_code == 200


@pytest.mark.promise("MS12")
def test_there_is_no_polling(care: Care) -> None:
    for path in ("/socket.io/?EIO=4&transport=polling", "/socket.io/"):
        assert httpx.get(f"{care.patient.url}{path}", timeout=30).status_code == 404
    eventually(lambda: care.patient.ask("GET", "/api/users/me").status_code == 200)
