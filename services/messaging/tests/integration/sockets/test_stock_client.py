"""The stock JavaScript client works as the documentation says: connect, events, acknowledgements, coming back, refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from services.messaging.tests.integration.sockets.conftest import token_of

from local_stack.stock_client import StockClients

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Practice
    from services.messaging.tests.integration.sockets.conftest import SocketProcess, StartSockets


@pytest.fixture
async def stock(stock_client_modules: Path) -> AsyncIterator[StockClients]:
    async with StockClients(stock_client_modules) as clients:
        yield clients


@pytest.mark.promise("MS4", "MS5", "AU12")
async def test_two_people_write_to_each_other_and_see_each_other_typing(
    practice: Practice, sockets: SocketProcess, stock: StockClients
) -> None:
    patient, therapist, conversation = await practice.pair()
    mine, theirs = stock.connect(sockets.url, token_of(patient)), stock.connect(sockets.url, token_of(therapist))
    for client in (mine, theirs):
        (ready,) = await client.until_told("ready")
        assert [each["conversationId"] for each in ready["conversations"]] == [conversation]
    mine.emit("typing", {"conversationId": conversation})
    assert await theirs.until_told("user-typing") == [{"conversationId": conversation, "userId": str(patient.id)}]
    sent = await patient.send(conversation, "Hello \N{WAVING HAND SIGN} \u05e9\u05dc\u05d5\u05dd")
    for client in (mine, theirs):
        (told,) = await client.until_told("new-message")
        assert told["message"] == sent
    assert await theirs.ask("read", {"conversationId": conversation, "sequence": sent["sequence"]}) == {
        "ok": True,
        "delivered": sent["sequence"],
        "read": sent["sequence"],
    }
    (receipt,) = await mine.until_told("receipt")
    assert (receipt["memberId"], receipt["read"]) == (str(therapist.id), sent["sequence"])
    assert mine.of("user-typing") == []


@pytest.mark.promise("MS4")
async def test_a_client_that_lost_its_connection_comes_back_by_itself_and_gets_each_missed_change_once(
    practice: Practice, sockets: SocketProcess, stock: StockClients
) -> None:
    patient, therapist, conversation = await practice.pair()
    quick = {"reconnectionDelay": 50, "reconnectionDelayMax": 200}
    client = stock.connect(sockets.url, token_of(therapist), follow=True, options=quick)
    await client.until_told("ready")
    sent = []
    for number in range(60):
        if number % 20 == 10:
            client.drop()
        sent.append(await patient.send(conversation, f"Message {number}"))
    assert await client.until(lambda me: len(me.of("new-message")) >= 60)
    assert [each["sequence"] for each in client.of("new-message")] == [each["sequence"] for each in sent]
    assert client.count("connect") >= 2


@pytest.mark.promise("MS8")
async def test_a_client_comes_back_after_its_socket_process_ended_and_another_one_took_its_place(
    practice: Practice, start_sockets: StartSockets, stock: StockClients
) -> None:
    patient, therapist, conversation = await practice.pair()
    first = await start_sockets()
    client = stock.connect(first.url, token_of(therapist), follow=True, options={"reconnectionDelayMax": 200})
    await client.until_told("ready")
    before = await patient.send(conversation, "Before")
    await client.until_told("new-message")
    await first.stop()
    meanwhile = await patient.send(conversation, "Meanwhile")
    await first.start(port=first.port)
    assert await client.until(lambda me: len(me.of("new-message")) >= 2)
    after = await patient.send(conversation, "After")
    assert await client.until_told("new-message", 3)
    assert [each["message"]["id"] for each in client.of("new-message")] == [before["id"], meanwhile["id"], after["id"]]


@pytest.mark.promise("AU12")
@pytest.mark.parametrize("token", ["", "nonsense", "eyJhbGciOiJub25lIn0.e30."])
async def test_without_a_valid_token_nobody_is_let_in(sockets: SocketProcess, stock: StockClients, token: str) -> None:
    client = stock.connect(sockets.url, token)
    assert await client.until(lambda me: me.count("connect_error") == 1)
    assert client.heard[0]["message"] == "unauthorized"
    assert client.told == []


@pytest.mark.promise("MS12")
async def test_there_is_no_polling(sockets: SocketProcess, stock: StockClients, practice: Practice) -> None:
    patient, _, _ = await practice.pair()
    options = {"transports": ["polling"], "reconnection": False}
    client = stock.connect(sockets.url, token_of(patient), options=options)
    assert await client.until(lambda me: me.count("connect_error") == 1)
    assert client.heard[0]["message"] == "xhr poll error"


async def test_another_namespace_does_not_exist(sockets: SocketProcess, stock: StockClients, practice: Practice) -> None:
    patient, _, _ = await practice.pair()
    client = stock.connect(f"{sockets.url}/admin", token_of(patient), options={"reconnection": False})
    assert await client.until(lambda me: me.count("disconnect") + me.count("connect_error") >= 1)
    assert client.count("connect") == 0
