"""Wakes over Valkey: after the commit, with ids only, and never in anybody's way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from local_stack.ports import free_port
from messaging.clients.wake import CHANNEL, MOST_WAITING, Waker

TENANT, CONVERSATION = UUID(int=1), UUID(int=2)


@pytest.fixture
async def heard(valkey_server: Any) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    """What arrives on the channel of wakes."""
    arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async with Redis.from_url(valkey_server.url.replace("valkey://", "redis://")) as valkey, valkey.pubsub() as listening:
        await listening.subscribe(CHANNEL)

        async def listen() -> None:
            async for message in listening.listen():
                if message["type"] == "message":
                    arrived.put_nowait(orjson.loads(message["data"]))

        running = asyncio.create_task(listen())
        yield arrived
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def next_of(heard: asyncio.Queue[dict[str, Any]], conversation_id: str) -> dict[str, Any]:
    while True:
        wake = await asyncio.wait_for(heard.get(), 30)
        if wake.get("c") == conversation_id:
            return wake


@pytest.mark.promise("MS2")
async def test_every_change_wakes_the_sockets_after_it_is_stored(
    practice: Any, valkey_server: Any, heard: asyncio.Queue[dict[str, Any]]
) -> None:
    patient, _, _ = await practice.pair()
    other = await practice.therapist()
    await practice.book(patient, other)
    resources = practice.app.state.kit.resources
    silent = resources["waker"]
    async with Waker(SecretStr(valkey_server.url)) as resources["waker"]:
        conversation_id = await practice.open(patient, other)
        woken = [await next_of(heard, conversation_id)]
        sent = await patient.send(conversation_id, "hello")
        woken.append(await next_of(heard, conversation_id))
        await other.post(f"/api/conversations/{conversation_id}/receipts", {"read": 3})
        woken.append(await next_of(heard, conversation_id))
        await patient.patch(f"/api/messages/{sent['id']}", {"body": "hello there"})
        woken.append(await next_of(heard, conversation_id))
        await patient.delete(f"/api/messages/{sent['id']}")
        woken.append(await next_of(heard, conversation_id))
        await patient.delete(f"/api/conversations/{conversation_id}/members/{patient.id}")
        woken.append(await next_of(heard, conversation_id))
        await practice.administrator().post(f"/api/conversations/{conversation_id}/destroy-key")
        woken.append(await next_of(heard, conversation_id))
    resources["waker"] = silent

    assert [(each["t"], each["c"], each["s"]) for each in woken] == [
        (str(practice.tenant_id), conversation_id, place) for place in range(2, 9)
    ]
    # Who takes part is told where it may be news: who has joined, who is left, and again at the end.
    both, left = [str(patient.id), str(other.id)], [str(other.id)]
    assert [each.get("m") for each in woken] == [both, None, None, None, None, left, left]


async def test_nothing_fails_and_nothing_waits_while_valkey_is_away(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    resources = practice.app.state.kit.resources
    silent = resources["waker"]
    async with Waker(SecretStr(f"redis://127.0.0.1:{free_port()}")) as resources["waker"]:
        started = time.monotonic()
        for number in range(20):
            await patient.send(conversation_id, f"message {number}")
        took = time.monotonic() - started
    resources["waker"] = silent

    assert took < 20
    assert len(await patient.changes(conversation_id)) == 22


async def test_wakes_beyond_the_bound_are_dropped(valkey_server: Any, heard: asyncio.Queue[dict[str, Any]]) -> None:
    first = str(uuid4())
    async with Waker(SecretStr(valkey_server.url)) as waker:
        waker.conversation(TENANT, UUID(first), 1)
        for place in range(2, MOST_WAITING + 500):
            waker.conversation(TENANT, CONVERSATION, place)
        places = [(await next_of(heard, str(CONVERSATION)))["s"] for _ in range(MOST_WAITING - 1)]
        last = str(uuid4())
        waker.conversation(TENANT, UUID(last), 1)
        assert (await next_of(heard, last))["s"] == 1

    assert places == list(range(2, MOST_WAITING + 1))


async def test_a_waker_goes_on_once_valkey_is_back(valkey_server: Any, heard: asyncio.Queue[dict[str, Any]]) -> None:
    async with Waker(SecretStr(valkey_server.url)) as waker:
        async with Redis.from_url(valkey_server.url.replace("valkey://", "redis://")) as valkey:
            waker.conversation(TENANT, CONVERSATION, 1)
            assert (await next_of(heard, str(CONVERSATION)))["s"] == 1
            await valkey.client_kill_filter(_type="normal", skipme=True)
        deadline = time.monotonic() + 30
        place = 2
        while heard.empty():
            assert time.monotonic() < deadline
            waker.conversation(TENANT, CONVERSATION, place)
            place += 1
            await asyncio.sleep(0.05)


async def test_without_an_address_nothing_is_sent() -> None:
    async with Waker(None) as waker:
        waker.conversation(TENANT, CONVERSATION, 1)
        waker.alerts(TENANT, CONVERSATION)
        assert waker._waiting.empty(), "what nobody will send is not kept"
