"""A client resumes from a place and gets everything behind it, each change once and in order, then what happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from services.messaging.tests.integration.sockets.conftest import CHANGES

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Practice
    from services.messaging.tests.integration.sockets.conftest import Connect, SocketProcess


async def test_a_connect_that_names_its_places_gets_all_that_is_behind_them_and_then_what_happens(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, conversation = await practice.pair()
    sent = [await patient.send(conversation, f"Message {number}") for number in range(120)]
    place = sent[9]["sequence"]
    client = await connect(sockets, therapist, after={conversation: place})
    assert client.of("ready") == [{"conversations": [{"conversationId": conversation, "sequence": place}]}]
    last = await patient.send(conversation, "Live")
    assert await client.has(lambda me: last["sequence"] in me.sequences(conversation))
    assert client.sequences(conversation) == [each["sequence"] for each in sent[10:]] + [last["sequence"]]


async def test_resuming_while_others_write_misses_nothing_and_repeats_nothing(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, conversation = await practice.pair()
    client, rng = await connect(sockets, therapist), random.Random(7)

    async def write() -> None:
        for number in range(150):
            await patient.send(conversation, f"Message {number}")

    def resume(after: int) -> Callable[[Any], None]:
        # Called when the answer comes, in the order in which things are told.
        return lambda _: client.told.append(("resumed", after))

    writing = asyncio.create_task(write())
    for _ in range(400):
        if writing.done():
            break
        await asyncio.sleep(rng.uniform(0.0, 0.05))
        after = rng.choice([0, *client.sequences(conversation)])
        asked = {"conversationId": conversation, "after": after}
        await client.client.emit("resume", asked, callback=resume(after))
    await writing
    latest = (await client.ask("join", {"conversationId": conversation}))["sequence"]
    assert await client.has(lambda me: me.sequences(conversation)[-1] == latest)
    for after, places in _stretches(client.told):
        assert places == list(range(after + 1, after + 1 + len(places))), after


def _stretches(told: list[tuple[str, Any]]) -> list[tuple[int, list[int]]]:
    """From which place each resume began, and the places that were told behind it until the next one."""
    stretches: list[tuple[int, list[int]]] = []
    for event, data in told:
        if event == "resumed":
            stretches.append((data, []))
        elif stretches and event in CHANGES:
            stretches[-1][1].append(data["sequence"])
    assert len(stretches) > 5
    return stretches


async def test_the_answer_to_a_resume_comes_before_what_it_asks_for(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, conversation = await practice.pair()
    for number in range(5):
        await patient.send(conversation, f"Message {number}")
    client = await connect(sockets, therapist)
    assert client.sequences(conversation) == []
    latest = (await client.ask("resume", {"conversationId": conversation, "after": 0}))["sequence"]
    assert await client.has(lambda me: me.sequences(conversation) == list(range(1, latest + 1)))


async def test_a_place_ahead_of_the_conversation_is_its_end(practice: Practice, sockets: SocketProcess, connect: Connect) -> None:
    patient, therapist, conversation = await practice.pair()
    client = await connect(sockets, therapist, after={conversation: 2**53 - 1})
    assert (await client.ask("resume", {"conversationId": conversation, "after": 2**53 - 1}))["ok"]
    await patient.send(conversation, "Still heard")
    await client.heard("new-message")


async def test_joining_again_changes_nothing(practice: Practice, sockets: SocketProcess, connect: Connect) -> None:
    patient, therapist, conversation = await practice.pair()
    client = await connect(sockets, therapist)
    first = await patient.send(conversation, "First")
    await client.heard("new-message")
    assert await client.ask("join", {"conversationId": conversation}) == {"ok": True, "sequence": first["sequence"]}
    await patient.send(conversation, "Second")
    assert len(await client.heard("new-message", 2)) == 2


async def test_nobody_joins_or_resumes_a_conversation_of_others(
    practice: Practice, other_practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, _, conversation = await practice.pair()
    stranger, _, _ = await practice.pair()
    elsewhere, _, _ = await other_practice.pair()
    for person in (stranger, elsewhere, practice.administrator()):
        client = await connect(sockets, person, after={conversation: 0, str(uuid4()): 0})
        for event, data in (
            ("join", {"conversationId": conversation}),
            ("resume", {"conversationId": conversation, "after": 0}),
            ("typing", {"conversationId": conversation}),
            ("presence", {"conversationId": conversation}),
            ("read", {"conversationId": conversation, "sequence": 1}),
        ):
            assert await client.ask(event, data) == {"ok": False, "error": "conversation-not-found"}, event
        await patient.send(conversation, "Nothing for them")
        assert conversation not in str(client.told)


async def test_somebody_who_left_and_came_back_catches_up_with_everything(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, lead, helper = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    conversation = await practice.team(patient, lead, helper)
    await lead.delete(f"/api/conversations/{conversation}/members/{helper.id}")
    await lead.send(conversation, "While away")
    await lead.post(f"/api/conversations/{conversation}/members", {"userId": str(helper.id)})
    last = await lead.send(conversation, "Back again")
    client = await connect(sockets, helper, after={conversation: 0})
    assert await client.has(lambda me: last["sequence"] in me.sequences(conversation))
    assert client.sequences(conversation) == list(range(1, last["sequence"] + 1))


@pytest.mark.parametrize("data", [None, {}, [], "x", {"conversationId": 5, "after": 0}, {"conversationId": "x", "after": 0}])
async def test_an_unreadable_resume_is_refused_and_ends_nothing(
    practice: Practice, sockets: SocketProcess, connect: Connect, data: object
) -> None:
    _, therapist, conversation = await practice.pair()
    client = await connect(sockets, therapist)
    assert await client.ask("resume", data) == {"ok": False, "error": "invalid-request"}
    for after in (-1, 1.5, "1", 2**53, True):
        refused = await client.ask("resume", {"conversationId": conversation, "after": after})
        assert refused == {"ok": False, "error": "invalid-request"}
    assert (await client.ask("join", {"conversationId": conversation}))["ok"]
