"""Who may open, read, write and add: strangers learn nothing, administrators read nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from bloom_events.auth import Role, UserRegistered, UserReinstated
from bloom_events.ids import UserId


def attempts(conversation_id: str, message_id: str) -> list[tuple[str, str, Any]]:
    """Everything that a member can do in a conversation."""
    conversation, message = f"/api/conversations/{conversation_id}", f"/api/messages/{message_id}"
    return [
        ("GET", conversation, None),
        ("GET", f"{conversation}/messages", None),
        ("GET", f"{conversation}/changes", None),
        ("POST", f"{conversation}/receipts", {"read": 1}),
        ("POST", f"{conversation}/members", {"userId": str(uuid4())}),
        ("DELETE", f"{conversation}/members/{uuid4()}", None),
        ("POST", "/api/messages", {"conversationId": conversation_id, "body": "hello"}),
        ("GET", message, None),
        ("PATCH", message, {"body": "hello"}),
        ("DELETE", message, None),
    ]


@pytest.mark.promise("AU13")
async def test_a_stranger_gets_the_very_same_404_as_for_what_does_not_exist(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "hello")
    strangers = [await practice.patient(), await practice.therapist()]
    await practice.book(patient, strangers[1])
    before = await patient.changes(conversation_id)

    for stranger in strangers:
        real = [await answer_to(stranger, *each) for each in attempts(conversation_id, sent["id"])]
        made_up = [await answer_to(stranger, *each) for each in attempts(str(uuid4()), str(uuid4()))]
        assert {status for status, _ in real} == {404}
        assert real == made_up

    assert await patient.changes(conversation_id) == before


async def answer_to(person: Any, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    answer = await person.ask(method, path, **({"json": body} if body is not None else {}))
    problem = answer.json()
    return answer.status_code, {name: problem[name] for name in ("type", "title", "status")}


@pytest.mark.promise("AU13")
async def test_an_administrator_reads_and_writes_nothing(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "hello")
    administrator = practice.administrator()

    contents = [
        each for each in attempts(conversation_id, sent["id"]) if each[:2] != ("GET", f"/api/conversations/{conversation_id}")
    ]
    answers = [(await answer_to(administrator, *each))[0] for each in contents]
    assert set(answers) == {403}
    assert (await administrator.post("/api/messages/search", {"text": "hello"})).status_code == 403
    assert (await administrator.post("/api/conversations", {"kind": "direct", "therapistId": str(uuid4())})).status_code == 403

    seen = (await administrator.get(f"/api/conversations/{conversation_id}")).json()
    listed = (await administrator.get("/api/conversations", patientId=str(patient.id))).json()["items"]
    assert [seen] == listed
    assert seen["unread"] is None
    assert "body" not in str(seen)
    assert (await administrator.get("/api/conversations", patientId=str(uuid4()))).json()["items"] == []


async def test_nobody_without_a_token_gets_anywhere(practice: Any) -> None:
    _, _, conversation_id = await practice.pair()
    for method, path, body in attempts(conversation_id, str(uuid4())):
        assert (await practice.client.request(method, path, json=body)).status_code == 401


async def test_the_same_ids_in_another_tenant_lead_nowhere(practice: Any, other_practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "hello")
    twin = other_practice.person("PATIENT", patient.id)

    statuses = [(await answer_to(twin, *each))[0] for each in attempts(conversation_id, sent["id"])]

    assert set(statuses) == {404}
    assert (await twin.get("/api/conversations")).json()["items"] == []
    assert (await twin.search("hello"))["items"] == []


@pytest.mark.parametrize("kind", ["never met", "called off", "suspended"])
async def test_a_conversation_needs_a_care_relationship(practice: Any, kind: str) -> None:
    patient, therapist = await practice.patient(), await practice.therapist()
    if kind != "never met":
        booked = await practice.book(patient, therapist)
        await (practice.call_off(booked) if kind == "called off" else practice.suspend(therapist))

    answers = [
        await patient.post("/api/conversations", {"kind": "direct", "therapistId": str(therapist.id)}),
        await therapist.post("/api/conversations", {"kind": "direct", "patientId": str(patient.id)}),
    ]

    assert [(each.status_code, each.json()["type"]) for each in answers] == [(409, "urn:bloom:problem:no-care-relationship")] * 2
    if kind == "suspended":
        await practice.hear(UserReinstated(user_id=UserId(therapist.id), role=Role.THERAPIST))
        assert await practice.open(patient, therapist)


async def test_one_of_two_visits_called_off_leaves_the_relationship(practice: Any) -> None:
    patient, therapist = await practice.patient(), await practice.therapist()
    first, _ = await practice.book(patient, therapist), await practice.book(patient, therapist)
    await practice.call_off(first)

    assert await practice.open(patient, therapist)


async def test_two_people_have_one_conversation_whoever_opens_it(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()

    again = await therapist.post("/api/conversations", {"kind": "direct", "patientId": str(patient.id)})

    assert again.json()["id"] == conversation_id == await practice.open(patient, therapist)
    assert len(await patient.changes(conversation_id)) == 2


async def test_opening_repeats_its_answer_for_the_same_key(practice: Any) -> None:
    patient, lead = await practice.patient(), await practice.therapist()
    await practice.book(patient, lead)
    body = {"kind": "care_team", "patientId": str(patient.id)}

    first, second = [await lead.post("/api/conversations", body, Idempotency_Key="once") for _ in range(2)]

    assert first.json() == second.json()
    assert len((await lead.get("/api/conversations")).json()["items"]) == 1


async def test_the_opener_has_to_name_the_other_one(practice: Any) -> None:
    patient, therapist, _ = await practice.pair()
    for person, named in ((patient, "patientId"), (therapist, "therapistId")):
        answer = await person.post("/api/conversations", {"kind": "direct", named: str(uuid4())})
        assert answer.status_code == 422
        assert str(person.id) not in answer.text


async def test_who_left_reads_nothing_and_comes_back_by_opening_it_again(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    await patient.delete(f"/api/conversations/{conversation_id}/members/{patient.id}")
    await therapist.send(conversation_id, "I am here when you want to come back.")

    assert (await patient.get(f"/api/conversations/{conversation_id}/messages")).status_code == 404
    assert (await patient.get("/api/conversations")).json()["items"] == []
    assert (await patient.search("here"))["items"] == []
    assert await practice.open(patient, therapist) == conversation_id
    assert [each["body"] for each in await patient.history(conversation_id)] == ["I am here when you want to come back."]
    kinds = [each["kind"] for each in await patient.changes(conversation_id)]
    assert kinds == ["member-joined", "member-joined", "member-left", "message-sent", "member-joined"]


async def test_the_last_therapist_leaves_after_the_patient(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    path = f"/api/conversations/{conversation_id}/members"

    assert (await therapist.delete(f"{path}/{therapist.id}")).json()["type"] == "urn:bloom:problem:last-therapist"
    assert (await patient.delete(f"{path}/{patient.id}")).status_code == 200
    assert (await therapist.delete(f"{path}/{therapist.id}")).status_code == 200


async def test_nobody_is_added_to_or_taken_out_of_a_conversation_of_two(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    path = f"/api/conversations/{conversation_id}/members"

    added = await therapist.post(path, {"userId": str((await practice.therapist()).id)})
    removed = await therapist.delete(f"{path}/{patient.id}")

    assert {added.json()["type"], removed.json()["type"]} == {"urn:bloom:problem:not-a-care-team"}


async def test_a_care_team_is_opened_by_a_therapist_who_cares_for_the_patient(practice: Any) -> None:
    patient, lead, colleague = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    body = {"kind": "care_team", "patientId": str(patient.id), "memberIds": [str(colleague.id), str(patient.id)]}

    assert (await patient.post("/api/conversations", body)).status_code == 403
    assert (await colleague.post("/api/conversations", body)).status_code == 409
    opened = (await lead.post("/api/conversations", body)).json()
    assert opened["memberIds"] == [str(lead.id), str(colleague.id), str(patient.id)]
    await colleague.send(opened["id"], "hello")
    assert [each["body"] for each in await patient.history(opened["id"])] == ["hello"]


async def test_only_therapists_who_care_for_the_patient_add_and_remove(practice: Any) -> None:
    patient, lead, colleague, newcomer = await practice.patient(), *[await practice.therapist() for _ in range(3)]
    await practice.book(patient, lead)
    conversation_id = await practice.team(patient, lead, colleague, patient)
    path = f"/api/conversations/{conversation_id}/members"

    for person in (colleague, patient):
        assert (await person.post(path, {"userId": str(newcomer.id)})).status_code == 403
        assert (await person.delete(f"{path}/{lead.id}")).status_code == 403
    assert str(newcomer.id) in (await lead.post(path, {"userId": str(newcomer.id)})).json()["memberIds"]
    assert str(colleague.id) not in (await lead.delete(f"{path}/{colleague.id}")).json()["memberIds"]
    assert (await lead.delete(f"{path}/{colleague.id}")).status_code == 404
    kinds = [each["kind"] for each in await lead.changes(conversation_id)]
    assert kinds == ["member-joined"] * 4 + ["member-left"]


async def test_adding_somebody_twice_changes_nothing(practice: Any) -> None:
    patient, lead, colleague = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    conversation_id = await practice.team(patient, lead)
    path = f"/api/conversations/{conversation_id}/members"

    first, second = [await lead.post(path, {"userId": str(colleague.id)}) for _ in range(2)]

    assert first.json() == second.json()
    assert len(await lead.changes(conversation_id)) == 2


@pytest.mark.parametrize("kind", ["unknown", "another patient", "suspended", "pending", "administrator"])
async def test_only_people_who_may_take_part_are_taken_in(practice: Any, kind: str) -> None:
    patient, lead, other = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    conversation_id = await practice.team(patient, lead)
    if kind == "suspended":
        await practice.suspend(other)
    if kind == "another patient":
        other = await practice.patient()
    if kind in {"unknown", "pending", "administrator"}:
        other = practice.person("THERAPIST")
    role, status = (Role.ADMINISTRATOR, "active") if kind == "administrator" else (Role.THERAPIST, "pending_verification")
    if kind in {"pending", "administrator"}:
        await practice.hear(UserRegistered(user_id=UserId(other.id), role=role, status=status))

    answer = await lead.post(f"/api/conversations/{conversation_id}/members", {"userId": str(other.id)})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bloom:problem:cannot-take-part")


async def test_a_care_team_has_at_most_fifty_members(practice: Any) -> None:
    patient, lead = await practice.patient(), await practice.therapist()
    await practice.book(patient, lead)
    others = [await practice.therapist() for _ in range(49)]
    conversation_id = await practice.team(patient, lead, *others)

    answer = await lead.post(f"/api/conversations/{conversation_id}/members", {"userId": str(patient.id)})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bloom:problem:too-many-members")
    event = (await practice.published("conversation.member-joined.v1"))[-1][1]
    assert event["member_id"] == str(others[-1].id)
    await lead.send(conversation_id, "hello")
    assert len((await practice.published("message.sent.v1"))[0][1]["therapist_ids"]) == 50


async def test_only_the_author_changes_or_takes_back_a_message(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "hello")
    path = f"/api/messages/{sent['id']}"

    answers = [await therapist.patch(path, {"body": "bye"}), await therapist.delete(path)]

    assert [(each.status_code, each.json()["type"]) for each in answers] == [(403, "urn:bloom:problem:not-the-author")] * 2
    assert [each["body"] for each in await therapist.history(conversation_id)] == ["hello"]
    assert len(await patient.changes(conversation_id)) == 3


async def test_a_deleted_message_stays_deleted(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    sent = await patient.send(conversation_id, "hello")
    path = f"/api/messages/{sent['id']}"
    await patient.delete(path)

    answers = [await patient.patch(path, {"body": "bye"}), await patient.delete(path)]

    assert [each.status_code for each in answers] == [409, 409]
    assert len(await patient.changes(conversation_id)) == 4
