"""What happens reaches the sockets of all members, in order, once; by a wake at once, without one by the next look."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import pytest

from messaging.clients.wake import Waker

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Practice
    from services.messaging.tests.integration.sockets.conftest import Connect, SocketProcess, StartSockets


@pytest.mark.promise("MS4")
async def test_a_message_reaches_every_member_the_sender_too(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, conversation = await practice.pair()
    mine, theirs = await connect(sockets, patient), await connect(sockets, therapist)
    sent = await patient.send(conversation, "Hello there")
    for client in (mine, theirs):
        (told,) = await client.heard("new-message")
        assert told["message"] == sent
        assert (told["kind"], told["sequence"]) == ("message-sent", sent["sequence"])


async def test_what_is_pushed_is_the_same_json_as_the_feed_answers(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, lead, helper = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    conversation = await practice.team(patient, lead)
    client = await connect(sockets, lead)
    message = await lead.send(conversation, "First")
    await lead.patch(f"/api/messages/{message['id']}", {"body": "Second"})
    await lead.delete(f"/api/messages/{message['id']}")
    await client.ask("read", {"conversationId": conversation, "sequence": message["sequence"]})
    await lead.post(f"/api/conversations/{conversation}/members", {"userId": str(helper.id)})
    await lead.delete(f"/api/conversations/{conversation}/members/{helper.id}")
    await practice.administrator().post(f"/api/conversations/{conversation}/destroy-key")
    await client.heard("closed")
    changes = await lead.changes(conversation, after=message["sequence"] - 1)
    told = [data for event, data in client.told if event != "ready"]
    assert [each["sequence"] for each in told] == [each["sequence"] for each in changes]
    assert [each["kind"] for each in told] == [
        "message-sent", "message-edited", "message-deleted", "receipt", "member-joined", "member-left", "closed"
    ]  # fmt: skip
    assert told[3:] == changes[3:]
    assert told[0].keys() == changes[0].keys()


async def test_a_busy_conversation_arrives_in_order_without_gap_or_repetition(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, conversation = await practice.pair()
    clients = [await connect(sockets, person) for person in (patient, therapist, therapist)]

    async def write(person_number: int) -> None:
        for _ in range(40):
            await (patient, therapist)[person_number % 2].send(conversation, "Something")

    await asyncio.gather(*(write(number) for number in range(4)))
    for client in clients:
        assert await client.has(lambda me: len(me.sequences(conversation)) >= 160)
        places = client.sequences(conversation)
        assert places == list(range(places[0], places[0] + 160))


async def test_nothing_of_a_conversation_reaches_anybody_else(
    practice: Practice, other_practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, conversation = await practice.pair()
    stranger, _, _ = await practice.pair()
    elsewhere, _, _ = await other_practice.pair()
    others = [await connect(sockets, each) for each in (stranger, elsewhere, practice.administrator())]
    member = await connect(sockets, therapist)
    await patient.send(conversation, "Only for two")
    await member.heard("new-message")
    for other in others:
        assert conversation not in str(other.told)


@pytest.mark.promise("MS9")
async def test_several_processes_push_to_those_who_are_connected_to_them(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    first, second = await start_sockets(), await start_sockets()
    patient, therapist, conversation = await practice.pair()
    mine, theirs = await connect(first, patient), await connect(second, therapist)
    for number in range(20):
        await (patient, therapist)[number % 2].send(conversation, f"Message {number}")
    for client in (mine, theirs):
        assert await client.has(lambda me: len(me.sequences(conversation)) >= 20)
        assert client.sequences(conversation) == sorted(set(client.sequences(conversation)))


@pytest.mark.promise("MS9")
@pytest.mark.parametrize("valkey", ["never there", "loses everything"])
async def test_without_wakes_a_push_comes_within_a_second(
    practice: Practice, start_sockets: StartSockets, connect: Connect, valkey: str
) -> None:
    # The API's wakes go nowhere in both cases: as when its process dies between the commit and the wake.
    practice.app.state.kit.resources["waker"], waker = Waker(None), practice.waker
    process = await start_sockets(**({"valkey_url": None} if valkey == "never there" else {}))
    patient, therapist, conversation = await practice.pair()
    client = await connect(process, therapist)
    try:
        worst = 0.0
        for number in range(10):
            sent = await patient.send(conversation, f"Message {number}")
            begun = time.monotonic()
            assert await client.has(lambda me, sent=sent: sent["sequence"] in me.sequences(conversation))  # type: ignore[misc]  # the default binds the loop's value
            worst = max(worst, time.monotonic() - begun)
            await asyncio.sleep(random.uniform(0, 0.1))
        assert worst < 1.0
    finally:
        practice.app.state.kit.resources["waker"] = waker


async def test_a_change_that_commits_long_after_it_began_is_found(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    """Others commit meanwhile, and looks pass by, before the transaction with the lower number does."""
    patient, therapist, conversation = await practice.pair()
    other_patient, other_therapist, busy = await practice.pair()
    client, other = await connect(sockets, therapist), await connect(sockets, other_therapist)
    async with practice.uow().begin() as transaction:
        await transaction.connection.execute("select pg_current_xact_id()")
        for number in range(5):
            await other_patient.send(busy, f"Message {number}")
            assert await other.has(lambda me, number=number: len(me.of("new-message")) > number)  # type: ignore[misc]  # the default binds the loop's value
            await asyncio.sleep(0.4)
        await transaction.connection.execute(
            "with c as (update conversations set last_sequence = last_sequence + 1 where id = $1 returning *)"
            " insert into conversation_changes (conversation_id, sequence, kind, at, actor_id, member_id, delivered_sequence,"
            " read_sequence) select id, last_sequence, 'receipt', now(), $2, $2, 1, 1 from c",
            conversation,
            patient.id,
        )
    assert len(await client.heard("receipt")) == 1


async def test_members_who_are_added_follow_at_once_and_those_who_left_get_nothing_more(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    first, second = await start_sockets(), await start_sockets()
    patient, lead, helper = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    conversation = await practice.team(patient, lead)
    led, helped = await connect(first, lead), await connect(second, helper)
    await lead.send(conversation, "Before")
    await lead.post(f"/api/conversations/{conversation}/members", {"userId": str(helper.id)})
    (joined,) = await helped.heard("joined")
    assert joined["conversationId"] == conversation
    seen = await lead.send(conversation, "For both")
    await helped.heard("new-message")
    await lead.delete(f"/api/conversations/{conversation}/members/{helper.id}")
    unseen = await lead.send(conversation, "After")
    assert await led.has(lambda me: unseen["sequence"] in me.sequences(conversation))
    left = await helped.heard("member", 1)
    assert left[-1]["kind"] == "member-left"
    await lead.post(f"/api/conversations/{conversation}/members", {"userId": str(helper.id)})
    await helped.heard("joined", 2)
    again = await lead.send(conversation, "For both again")
    assert await helped.has(lambda me: again["sequence"] in me.sequences(conversation))
    assert [each["message"]["id"] for each in helped.of("new-message")] == [seen["id"], again["id"]]


async def test_a_new_conversation_reaches_those_who_are_connected(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist = await practice.patient(), await practice.therapist()
    await practice.book(patient, therapist)
    client = await connect(sockets, therapist)
    assert client.of("ready") == [{"conversations": []}]
    conversation = await practice.open(patient, therapist)
    await client.heard("joined")
    await patient.send(conversation, "The first")
    assert len(await client.heard("new-message")) == 1
