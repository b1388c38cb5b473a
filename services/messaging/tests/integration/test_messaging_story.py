"""Two people write to each other: what each sees, and what is published."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bloom_events.messaging import sealed_with


@pytest.mark.promise("MS1", "MS2", "MS7")
async def test_a_patient_and_a_therapist_write_to_each_other(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()

    answer = await patient.post("/api/messages", {"conversationId": conversation_id, "body": "Could we meet on Tuesday?"})
    assert answer.status_code == 201
    sent = answer.json()["message"]
    assert answer.headers["Location"] == f"/api/messages/{sent['id']}"
    assert (sent["sequence"], sent["revision"], sent["authorId"]) == (3, 1, str(patient.id))
    reply = await therapist.send(conversation_id, "Tuesday is fine.", replyToId=sent["id"])

    bodies = [(each["body"], each["replyToId"]) for each in await patient.history(conversation_id)]
    assert bodies == [("Tuesday is fine.", sent["id"]), ("Could we meet on Tuesday?", None)]
    assert reply["sequence"] == 4


@pytest.mark.promise("MS3", "X3")
async def test_the_answer_to_a_message_says_that_its_analysis_is_pending(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()

    answer = await patient.post("/api/messages", {"conversationId": conversation_id, "body": "hello"})

    assert answer.json()["analysis"] == {"status": "pending"}


async def test_the_feed_holds_everything_in_one_gapless_order(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "first")
    await therapist.post(f"/api/conversations/{conversation_id}/receipts", {"delivered": 3})
    await patient.patch(f"/api/messages/{sent['id']}", {"body": "first, corrected"})
    await therapist.post(f"/api/conversations/{conversation_id}/receipts", {"read": 5})
    await patient.delete(f"/api/messages/{sent['id']}")

    changes = await therapist.changes(conversation_id)

    assert [(each["sequence"], each["kind"]) for each in changes] == [
        (1, "member-joined"),
        (2, "member-joined"),
        (3, "message-sent"),
        (4, "receipt"),
        (5, "message-edited"),
        (6, "receipt"),
        (7, "message-deleted"),
    ]
    assert [(each["delivered"], each["read"]) for each in changes if each["kind"] == "receipt"] == [(3, 2), (5, 5)]
    assert all(each["message"]["body"] is None for each in changes if "message" in each)
    assert [each["sequence"] for each in await therapist.changes(conversation_id, after=5)] == [6, 7]


async def test_every_change_of_a_message_is_published_sealed_with_its_place(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "Could we meet on Tuesday?")
    await patient.patch(f"/api/messages/{sent['id']}", {"body": "Could we meet on Wednesday?"})
    await patient.delete(f"/api/messages/{sent['id']}")

    (_, first), (_, edited), (_, deleted) = [each for each in await practice.published() if each[0].startswith("message.")]

    assert [each["revision"] for each in (first, edited, deleted)] == [1, 2, 3]
    assert [each["sequence"] for each in (first, edited, deleted)] == [3, 4, 5]
    assert first["therapist_ids"] == [str(therapist.id)]
    assert first["author_role"] == "PATIENT"
    answer = await practice.ask_as("ml-scoring", f"/internal/conversations/{conversation_id}/keys/{first['key_version']}")
    key = b64decode(answer.json()["key"])
    texts = [unsealed(key, each) for each in (first, edited)]
    assert texts == ["Could we meet on Tuesday?", "Could we meet on Wednesday?"]
    assert "ciphertext" not in deleted


def unsealed(key: bytes, event: dict[str, Any]) -> str:
    bound = sealed_with(UUID(event["conversation_id"]), UUID(event["message_id"]), event["sequence"])
    return AESGCM(key).decrypt(b64decode(event["nonce"]), b64decode(event["ciphertext"]), bound).decode()


async def test_a_conversation_tells_who_joined_and_who_left(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    await patient.delete(f"/api/conversations/{conversation_id}/members/{patient.id}")

    told = [(kind, body.get("member_id")) for kind, body in await practice.published() if kind.startswith("conversation.")]

    assert told == [
        ("conversation.opened.v1", None),
        ("conversation.member-joined.v1", str(patient.id)),
        ("conversation.member-joined.v1", str(therapist.id)),
        ("conversation.member-left.v1", str(patient.id)),
    ]


async def test_unread_messages_are_counted_until_they_are_read(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    for number in range(3):
        await patient.send(conversation_id, f"message {number}")
    await patient.delete(f"/api/messages/{(await patient.history(conversation_id))[0]['id']}")

    assert await unread(therapist, conversation_id) == 2
    assert await unread(patient, conversation_id) == 0
    await therapist.post(f"/api/conversations/{conversation_id}/receipts", {"read": 3})
    assert await unread(therapist, conversation_id) == 1


async def test_unread_messages_are_counted_up_to_a_hundred(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    for _ in range(101):
        await patient.send(conversation_id, "hello")

    assert await unread(therapist, conversation_id) == 100


async def unread(person: Any, conversation_id: str) -> int:
    listed = (await person.get("/api/conversations")).json()["items"]
    shown = (await person.get(f"/api/conversations/{conversation_id}")).json()
    assert [each["unread"] for each in listed if each["id"] == conversation_id] == [shown["unread"]]
    return int(shown["unread"])


async def test_receipts_never_go_back_and_never_lie_beyond_the_last_change(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    await patient.send(conversation_id, "hello")
    path = f"/api/conversations/{conversation_id}/receipts"

    first = (await therapist.post(path, {"delivered": 1000, "read": 2})).json()
    again = (await therapist.post(path, {"delivered": 1, "read": 1})).json()

    assert (first["delivered"], first["read"]) == (3, 2)
    assert again == first
    assert len(await patient.changes(conversation_id)) == 4


async def test_a_client_that_was_away_gets_what_it_missed_page_by_page(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    for number in range(7):
        await patient.send(conversation_id, f"message {number}")
    seen: list[int] = []
    while True:
        after = seen[-1] if seen else 0
        page = (await therapist.get(f"/api/conversations/{conversation_id}/changes", after=after, limit=4)).json()
        seen += [each["sequence"] for each in page["items"]]
        if seen[-1] == page["lastSequence"]:
            break

    assert seen == list(range(1, 10))


async def test_history_is_given_by_cursor(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    for number in range(5):
        await patient.send(conversation_id, f"message {number}")
    path, bodies, cursor = f"/api/conversations/{conversation_id}/messages", [], None
    while True:
        page = (await patient.get(path, limit=2, **({"cursor": cursor} if cursor else {}))).json()
        bodies += [each["body"] for each in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert bodies == [f"message {number}" for number in reversed(range(5))]


async def test_a_message_is_got_by_its_id_with_an_etag_that_its_changes_honour(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "hello")
    path = f"/api/messages/{sent['id']}"

    assert (await patient.get(path)).headers["ETag"] == '"1"'
    assert (await patient.patch(path, {"body": "hello there"}, If_Match='"7"')).status_code == 412
    edited = await patient.patch(path, {"body": "hello there"}, If_Match='"1"')
    assert (edited.headers["ETag"], edited.json()["body"], edited.json()["sequence"]) == ('"2"', "hello there", 3)
    assert (await patient.get(path)).json() == edited.json()
    assert (await patient.get(f"/api/messages/{uuid4()}")).status_code == 404
