"""Twenty seconds of broken frames: whatever arrives, the process answers, closes that connection or ignores it, and goes on."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson
import pytest
from services.messaging.tests.integration.sockets.conftest import eventually, token_of
from services.messaging.tests.integration.sockets.raw_client import RawClient, frame

from messaging.socket import metrics

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Practice
    from services.messaging.tests.integration.sockets.conftest import Connect, SocketProcess, StartSockets

SECONDS = float(os.environ.get("BLOOM_FUZZ_SECONDS", "20"))
AT_ONCE = 6
PIECES = (
    b"", b"0", b"1", b"2", b"3", b"4", b"40", b"41", b"42", b"43", b"44", b"45", b"46", b"/", b",", b"-", b"[", b"]", b"{", b"}",
    b'"', b":", b"null", b"true", b"1e999", b"-0", b"9" * 60, b"\x00", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\\ud800",
    b"\xf0\x9f\x98\x80", b"\xe2\x80\xae", b'{"_placeholder":true,"num":0}', b"[" * 500, b'{"a":' * 500, b" " * 1000,
)  # fmt: skip


def seeds(conversation_id: str, token: str) -> list[bytes]:
    """What a client of ours sends."""
    events = [
        ("join", {"conversationId": conversation_id}),
        ("resume", {"conversationId": conversation_id, "after": 0}),
        ("typing", {"conversationId": conversation_id}),
        ("presence", {"conversationId": conversation_id}),
        ("delivered", {"conversationId": conversation_id, "sequence": 1}),
        ("read", {"conversationId": conversation_id, "sequence": 1}),
        ("alert-seen", {"alertId": str(uuid4())}),
        ("renew", {"token": token}),
        ("new-message", {"message": {"body": "forged"}}),
    ]
    sent = [f"42{number}".encode() + orjson.dumps(event) for number, event in enumerate(events)]
    connects = [
        b"40" + orjson.dumps(auth) for auth in ({"token": token}, {"token": token, "after": {conversation_id: 0}}, {}, [])
    ]
    return [*sent, *connects, b"3", b"41", b"1", b'43[{"ok":true}]', b'451-["x",{"_placeholder":true,"num":0}]']


def mutated(rng: random.Random, seed: bytes) -> bytes:
    """The seed with up to four changes."""
    data = bytearray(seed)
    for _ in range(rng.randint(0, 4)):
        at, until = sorted(rng.randint(0, len(data)) for _ in range(2))
        match rng.randint(0, 5):
            case 0:
                del data[at:until]
            case 1:
                data[at:at] = rng.choice(PIECES)
            case 2:
                data[at:until] = rng.choice(PIECES)
            case 3 if data:
                data[min(at, len(data) - 1)] = rng.randrange(256)
            case 4:
                data[at:at] = data[at:until] * rng.randint(1, 5)
            case _:
                data = data[at:] + data[:at]
    return bytes(data)


def framed(rng: random.Random, payload: bytes) -> bytes:
    """The payload in a frame, mostly a good one."""
    kind = rng.random()
    if kind < 0.8:
        return frame(payload)
    if kind < 0.9:
        return frame(payload, rng.choice((0x0, 0x2, 0x3, 0x8, 0x9, 0xA, 0xF)), fin=rng.random() < 0.8, masked=rng.random() < 0.8)
    broken = bytearray(frame(payload))
    broken[rng.randrange(min(len(broken), 14))] ^= 1 << rng.randrange(8)
    return bytes(broken)


async def torment(process: SocketProcess, given: list[bytes], rng: random.Random, until: float) -> int:
    """Opens connections and sends broken frames over them until the time is over; says how many."""
    count = 0
    while time.monotonic() < until:
        client = await RawClient.open(process.port)
        if rng.random() < 0.7:
            client.send(rng.choice([seed for seed in given if seed.startswith(b'40{"token"')]))
        for _ in range(rng.randint(1, 15)):
            client.send_raw(framed(rng, mutated(rng, rng.choice(given))))
            count += 1
            await asyncio.sleep(0)
            if client.reader.at_eof():
                break
        if rng.random() < 0.5:
            await client.skim()
        client.writer.transport.abort()
        await client.close()
    return count


@pytest.mark.timeout(180)
async def test_no_frame_makes_the_process_fail_or_harms_others(
    practice: Practice,
    start_sockets: StartSockets,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    record_property("seed", seed)
    process = await start_sockets(socket_most_per_person=1_000)
    patient, therapist, conversation = await practice.pair()
    witness, given = await connect(process, therapist), seeds(conversation, token_of(patient))
    before, until = bugs(), time.monotonic() + SECONDS
    with caplog.at_level(logging.WARNING):
        counts = await asyncio.gather(
            *(torment(process, given, random.Random(seed + number), until) for number in range(AT_ONCE))
        )
    assert sum(counts) > 100
    assert bugs() == before, f"seed {seed}"
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [], seed
    sent = await patient.send(conversation, "Still here")
    assert await witness.has(lambda me: sent["sequence"] in me.sequences(conversation))
    assert [each["message"]["id"] for each in witness.of("new-message")] == [sent["id"]]
    assert not witness.is_over
    assert await eventually(lambda: metrics.CONNECTIONS._value.get() == 1)


def bugs() -> float:
    return sum(sample.value for metric in metrics.BUGS.collect() for sample in metric.samples if sample.name.endswith("_total"))
