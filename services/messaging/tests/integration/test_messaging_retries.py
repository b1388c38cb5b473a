"""Messages that are sent again, at the same moment, or by many: each is stored once, at one place, without gaps."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from service_kit.testing import as_tenant


async def test_the_same_message_sent_again_is_the_same_message(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    body = {"conversationId": conversation_id, "body": "hello", "id": str(uuid4())}

    answers = [await patient.post("/api/messages", body) for _ in range(3)]

    assert {each.status_code for each in answers} == {201}
    assert [each.json() for each in answers] == [answers[0].json()] * 3
    assert [each.headers.get("Idempotency-Replayed") for each in answers] == [None, "true", "true"]
    assert len(await patient.changes(conversation_id)) == 3
    assert len(await practice.published("message.sent.v1")) == 1


async def test_a_retry_after_an_edit_or_a_deletion_answers_with_the_message_as_it_is_now(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    body = {"conversationId": conversation_id, "body": "hello", "id": str(uuid4())}
    path = f"/api/messages/{body['id']}"
    await patient.post("/api/messages", body)

    await patient.patch(path, {"body": "hello there"})
    after_edit = (await patient.post("/api/messages", body)).json()["message"]
    await patient.delete(path)
    after_deletion = (await patient.post("/api/messages", body)).json()["message"]

    assert (after_edit["body"], after_edit["revision"]) == ("hello there", 2)
    assert (after_deletion["body"], after_deletion["revision"]) == (None, 3)


@pytest.mark.parametrize("differs", ["body", "reply", "conversation", "author"])
async def test_the_same_id_with_anything_else_is_refused(practice: Any, differs: str) -> None:
    patient, therapist, conversation_id = await practice.pair()
    other = await practice.therapist()
    await practice.book(patient, other)
    another_conversation = await practice.open(patient, other)
    answered = await patient.send(conversation_id, "before")
    body = {"conversationId": conversation_id, "body": "hello", "id": str(uuid4())}
    await patient.post("/api/messages", body)
    before = await patient.changes(conversation_id), await patient.changes(another_conversation)

    changed = {
        "body": {"body": "bye"},
        "reply": {"replyToId": answered["id"]},
        "conversation": {"conversationId": another_conversation},
        "author": {},
    }[differs]
    sender = therapist if differs == "author" else patient
    answer = await sender.post("/api/messages", {**body, **changed})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bloom:problem:message-id-taken")
    assert before == (await patient.changes(conversation_id), await patient.changes(another_conversation))


async def test_an_idempotency_key_stands_in_for_an_id(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    body = {"conversationId": conversation_id, "body": "hello"}

    first = await patient.post("/api/messages", body, Idempotency_Key="k1")
    again = await patient.post("/api/messages", body, Idempotency_Key="k1")
    by_another = await therapist.post("/api/messages", body, Idempotency_Key="k1")
    other_text = await patient.post("/api/messages", {**body, "body": "bye"}, Idempotency_Key="k1")

    assert first.json() == again.json()
    assert by_another.json()["message"]["id"] != first.json()["message"]["id"]
    assert (other_text.status_code, other_text.json()["type"]) == (422, "urn:bloom:problem:idempotency-key-reused")
    async with as_tenant(practice.pool, practice.tenant_id) as connection:
        assert await connection.fetchval("select count(*) from idempotency_keys where route like '%/api/messages%'") == 0


async def test_a_message_sent_eight_times_at_once_is_stored_once_and_leaves_no_gap(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    for _ in range(10):
        body = {"conversationId": conversation_id, "body": "hello", "id": str(uuid4())}
        answers = await asyncio.gather(*(patient.post("/api/messages", body) for _ in range(8)))
        assert [each.json() for each in answers] == [answers[0].json()] * 8
    await patient.send(conversation_id, "the end")

    assert [each["sequence"] for each in await patient.changes(conversation_id)] == list(range(1, 14))


async def test_the_order_is_gapless_under_fifty_writers(practice: Any) -> None:
    patient, lead, conversation_id = await practice.pair()
    texts = [f"writer {number}" for number in range(50)]

    async def write(number: int) -> None:
        sender, other = (patient, lead) if number % 2 else (lead, patient)
        sent = await sender.send(conversation_id, texts[number])
        await other.post(f"/api/conversations/{conversation_id}/receipts", {"read": sent["sequence"]})
        if number % 5 == 0:
            await sender.patch(f"/api/messages/{sent['id']}", {"body": texts[number]})
        if number % 7 == 0:
            await sender.delete(f"/api/messages/{sent['id']}")

    await asyncio.gather(*(write(number) for number in range(50)))

    changes = await patient.changes(conversation_id, limit=200)
    assert [each["sequence"] for each in changes] == list(range(1, len(changes) + 1))
    assert sum(each["kind"] == "message-sent" for each in changes) == 50
    assert sum(each["kind"] == "message-edited" for each in changes) == 10
    assert sum(each["kind"] == "message-deleted" for each in changes) == 8
    assert sorted(each["at"] for each in changes) == [each["at"] for each in changes]
    published = [body["sequence"] for kind, body in await practice.published() if kind.startswith("message.")]
    assert published == sorted(published)


async def test_somebody_taken_out_at_the_same_moment_writes_before_that_or_not_at_all(practice: Any) -> None:
    patient, lead, colleague = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    for _ in range(10):
        conversation_id = await practice.team(patient, lead, colleague)
        body = {"conversationId": conversation_id, "body": "hello"}
        path = f"/api/conversations/{conversation_id}/members/{colleague.id}"
        answers = await asyncio.gather(*(colleague.post("/api/messages", body) for _ in range(6)), lead.delete(path))
        changes = await lead.changes(conversation_id)
        kinds = [each["kind"] for each in changes]
        assert kinds[-1] == "member-left"
        assert sum(each.status_code == 201 for each in answers) == kinds.count("message-sent")
        assert {each.status_code for each in answers[:-1]} <= {201, 404}


async def test_two_who_open_the_same_conversation_at_once_get_the_same_one(practice: Any) -> None:
    for _ in range(5):
        patient, therapist = await practice.patient(), await practice.therapist()
        await practice.book(patient, therapist)
        answers = await asyncio.gather(
            *(patient.post("/api/conversations", {"kind": "direct", "therapistId": str(therapist.id)}) for _ in range(3)),
            *(therapist.post("/api/conversations", {"kind": "direct", "patientId": str(patient.id)}) for _ in range(3)),
        )
        assert {each.status_code for each in answers} == {201}
        assert len({each.json()["id"] for each in answers}) == 1
        assert len(await patient.changes(answers[0].json()["id"])) == 2


async def test_a_reply_to_a_message_of_another_conversation_is_refused_and_leaves_no_gap(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    _, _, elsewhere = await practice.pair()
    other = await practice.therapist()
    await practice.book(patient, other)
    own_other = await practice.open(patient, other)
    foreign = await patient.send(own_other, "hello")

    for target in (foreign["id"], str(uuid4())):
        body = {"conversationId": conversation_id, "body": "re", "replyToId": target}
        answer = await patient.post("/api/messages", body)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:bloom:problem:reply-target-not-found")
    sent = await patient.send(conversation_id, "hello")
    assert sent["sequence"] == 3
    assert elsewhere != conversation_id
