"""Bounded buffers, frames and rates: whoever goes over a limit is cut, and nobody else notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from services.messaging.tests.integration.sockets.conftest import eventually, token_of
from services.messaging.tests.integration.sockets.raw_client import BINARY, PING, RawClient, frame

from messaging.socket import metrics

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Practice
    from services.messaging.tests.integration.sockets.conftest import Connect, SocketProcess, StartSockets

BUFFER = 65_536
GARBAGE = (
    b"",
    b"9",
    b"2probe",
    b"5",
    b"4",
    b"4x",
    b"42",
    b"42{}",
    b"42[]",
    b"42[1]",
    b'42["join",{},{}]',
    b'42["join"',
    b"42" + b"[" * 20_000,
    b'42/admin,["join",{}]',
    b'40/admin,{"token":"x"}',
    b'451-["join",{"_placeholder":true,"num":0}]',
    b'4599999999-["join"]',
    b"43[]",
    b"4317[]",
    b'44{"message":"x"}',
    b"40",
    b"7",
    b"0",
    b"\xd9\xa4",
    b"bAAAA",
    b"421" + b"1" * 200 + b'["join"]',
)


@pytest.fixture
async def raw() -> AsyncIterator[Callable[..., Awaitable[RawClient]]]:
    """Opens raw connections, which end with the test."""
    opened: list[RawClient] = []

    async def open_one(process: SocketProcess, token: str | None = None, **given: Any) -> RawClient:
        client = await (RawClient.connect(process.port, token, **given) if token else RawClient.open(process.port, **given))
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        await client.close()


Raw = Callable[..., Awaitable[RawClient]]


def cut(reason: str) -> float:
    return float(metrics.CUT.labels(reason)._value.get())


async def test_a_slow_reader_is_cut_at_the_end_of_its_buffer_and_the_others_do_not_wait(
    practice: Practice, start_sockets: StartSockets, connect: Connect, raw: Raw
) -> None:
    process = await start_sockets(socket_buffer_bytes=BUFFER, socket_kernel_buffer_bytes=4_096)
    patient, therapist, conversation = await practice.pair()
    reads = await connect(process, therapist)
    slow, before = await raw(process, token_of(patient), receive_buffer=4_096), cut("slow")
    assert await eventually(lambda: connections() == 2)
    waits, written = [], 0
    while cut("slow") == before:
        sent = await therapist.send(conversation, "x" * 10_000)
        begun = time.monotonic()
        assert await reads.has(lambda me, sent=sent: sent["sequence"] in me.sequences(conversation))  # type: ignore[misc]  # the default binds the loop's value
        waits.append(time.monotonic() - begun)
        written += 10_000
        assert written < 1_000_000, "nobody is cut"
    assert max(waits) < 1.0
    assert await eventually(lambda: connections() == 1)
    del slow


def connections() -> float:
    return float(metrics.CONNECTIONS._value.get())


async def test_a_client_that_catches_up_and_reads_slowly_gets_all_of_it(
    practice: Practice, start_sockets: StartSockets, raw: Raw
) -> None:
    process = await start_sockets(socket_buffer_bytes=BUFFER, socket_kernel_buffer_bytes=4_096)
    patient, therapist, conversation = await practice.pair()
    for _ in range(40):
        await therapist.send(conversation, "x" * 10_000)
    client = await raw(process, receive_buffer=4_096)
    auth = f'{{"token":"{token_of(patient)}","after":{{"{conversation}":0}}}}'
    client.send(b"40" + auth.encode())
    received = b""
    while received.count(b'"new-message"') < 40:
        chunk = await asyncio.wait_for(client.reader.read(2_048), 30)
        assert chunk, "cut although it reads"
        received += chunk
        await asyncio.sleep(0.001)


async def test_pings_of_a_peer_that_reads_nothing_do_not_fill_the_memory(start_sockets: StartSockets, raw: Raw) -> None:
    process = await start_sockets(socket_buffer_bytes=BUFFER, socket_kernel_buffer_bytes=4_096)
    client, before = await raw(process, receive_buffer=4_096), cut("slow")
    for _ in range(200):
        client.send_raw(frame(b"p" * 125, PING) * 50)
        await asyncio.sleep(0)
        if cut("slow") > before or client.writer.is_closing():
            break
    assert await eventually(lambda: cut("slow") == before + 1)


async def test_a_frame_over_the_limit_ends_its_connection(practice: Practice, start_sockets: StartSockets, raw: Raw) -> None:
    process = await start_sockets(socket_frame_limit_bytes=4_096)
    patient, _, _ = await practice.pair()
    whole, parts = [await raw(process, token_of(patient)) for _ in range(2)]
    for client in (whole, parts):
        await client.read_until(b'"ready"')
    whole.send(b'42["typing","' + b"x" * 5_000 + b'"]')
    # In fragments, each of which is small.
    parts.send_raw(frame(b'42["typing","', fin=False) + b"".join(frame(b"x" * 500, 0x0, fin=False) for _ in range(10)))
    for client in (whole, parts):
        assert (1009).to_bytes(2) in await client.read_until_closed()


async def test_what_is_not_utf8_ends_its_connection(practice: Practice, sockets: SocketProcess, raw: Raw) -> None:
    patient, _, _ = await practice.pair()
    for bad in (b"\xff\xfe", b'42["typing","\xc3\x28"]', b"4\xed\xa0\x80"):
        client = await raw(sockets, token_of(patient))
        await client.read_until(b'"ready"')
        client.send(bad)
        assert (1007).to_bytes(2) in await client.read_until_closed()


@pytest.mark.parametrize("known", [True, False], ids=["of somebody", "of a stranger"])
async def test_garbage_ends_its_own_connection_and_no_other(
    practice: Practice, sockets: SocketProcess, connect: Connect, raw: Raw, known: bool
) -> None:
    patient, therapist, conversation = await practice.pair()
    other, bugs = await connect(sockets, therapist), unexpected()
    for garbage in GARBAGE:
        if garbage == b"40" and not known:
            continue
        client = await raw(sockets, token_of(patient) if known else None)
        if known:
            await client.read_until(b'"ready"')
        client.send(garbage)
        await client.read_until_closed()
    binary = await raw(sockets, token_of(patient))
    await binary.read_until(b'"ready"')
    binary.send(b"\x00\x01", BINARY)
    await binary.read_until_closed()
    await patient.send(conversation, "Still here")
    await other.heard("new-message")
    assert unexpected() == bugs


def unexpected() -> float:
    return sum(sample.value for metric in metrics.BUGS.collect() for sample in metric.samples if sample.name.endswith("_total"))


async def test_a_flood_is_refused_and_then_cut_and_a_brisk_client_is_not(
    practice: Practice, start_sockets: StartSockets, connect: Connect, raw: Raw
) -> None:
    process = await start_sockets(socket_frames_per_second=5.0, socket_frames_at_once=20.0)
    patient, therapist, conversation = await practice.pair()
    brisk = await connect(process, therapist)
    for _ in range(10):
        assert (await brisk.ask("typing", {"conversationId": conversation}))["ok"]
    flood, before = await raw(process, token_of(patient)), cut("flood")
    await flood.read_until(b'"ready"')
    for number in range(100):
        flood.send(f'42{number}["typing",{{"conversationId":"{conversation}"}}]'.encode())
    received = await flood.read_until_closed()
    assert received.count(b'"ok":true') <= 20
    assert received.count(b"too-many-requests") >= 15
    assert cut("flood") == before + 1
    assert not brisk.is_over


@pytest.mark.parametrize("says", [b"", b"3"], ids=["nothing", "pongs alone"])
async def test_whoever_does_not_tell_who_they_are_is_cut(start_sockets: StartSockets, raw: Raw, says: bytes) -> None:
    process = await start_sockets(socket_connect_seconds=0.5)
    client = await raw(process)
    if says:
        client.send(says)
    begun = time.monotonic()
    assert b"1008" not in await client.read_until_closed()
    assert time.monotonic() - begun < 10


@pytest.mark.promise("MS4")
async def test_a_peer_that_no_longer_answers_is_cut_and_one_that_answers_stays(
    practice: Practice, start_sockets: StartSockets, connect: Connect, raw: Raw
) -> None:
    process = await start_sockets(socket_ping_seconds=0.5, socket_pong_seconds=1.0)
    patient, therapist, conversation = await practice.pair()
    answers, before = await connect(process, therapist), cut("silent")
    half_open = await raw(process, token_of(patient))
    await half_open.read_until_closed()
    assert cut("silent") == before + 1
    await patient.send(conversation, "Still here")
    await answers.heard("new-message")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("EIO=3&transport=websocket", b"Unsupported protocol version"),
        ("EIO=4&transport=polling", b"Transport unknown"),
        ("EIO=4&transport=websocket&sid=abc", b"Transport unknown"),
        ("EIO=4", b"Transport unknown"),
    ],
)
async def test_another_protocol_is_refused_before_the_upgrade(sockets: SocketProcess, query: str, says: bytes) -> None:
    client = await RawClient.ask(sockets.port, query)
    answer = await client.read_until_closed()
    await client.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert says in answer
