"""Limits hold, each for its own: people, conversations, sizes; and what is no text is refused before it is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis

from messaging.main import create_app
from messaging.settings import Settings
from service_kit.errors import TooManyRequests
from service_kit.request_scope import Kit


@pytest.fixture
def limited(app: FastAPI, settings: Settings) -> Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]:
    """Opens the same service with other settings."""

    @asynccontextmanager
    async def opened(**changed: object) -> AsyncIterator[httpx.AsyncClient]:
        other = create_app(settings.model_copy(update=changed))
        kit: Kit = other.state.kit
        kit.tokens, kit.clock = app.state.kit.tokens, app.state.kit.clock
        async with other.router.lifespan_context(other):
            transport = httpx.ASGITransport(app=other)
            async with httpx.AsyncClient(transport=transport, base_url="http://messaging.test", timeout=60) as client:
                yield client

    return opened


@pytest.fixture
async def strict(limited: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]) -> AsyncIterator[httpx.AsyncClient]:
    """The same service with small limits."""
    limits = {
        "writing_limit_per_person": "3/minute",
        "writing_limit_per_conversation": "5/minute",
        "receipt_limit_per_person": "2/minute",
        "search_limit_per_person": "2/minute",
        "opening_limit_per_person": "2/minute",
    }
    async with limited(**limits) as client:
        yield client


def valkey_of(server: Any) -> Any:
    return Redis.from_url(server.url.replace("valkey://", "redis://"))


def at(client: httpx.AsyncClient, person: Any) -> Any:
    """The same person at another door."""
    return type(person)(person.id, person.role, person.tenant_id, client)


def assert_limited(answers: list[httpx.Response], allowed: int) -> None:
    assert [each.status_code < 400 for each in answers] == [True] * allowed + [False] * (len(answers) - allowed)
    for each in answers[allowed:]:
        assert each.json()["type"] == f"urn:bloom:problem:{TooManyRequests.slug}"
        assert int(each.headers["Retry-After"]) >= 1


async def test_one_person_writes_edits_and_deletes_so_often_a_minute(practice: Any, strict: httpx.AsyncClient) -> None:
    patient, therapist, conversation_id = await practice.pair()
    body = {"conversationId": conversation_id, "body": "hello"}
    sent = await at(strict, patient).post("/api/messages", body)
    path = f"/api/messages/{sent.json()['message']['id']}"

    answers = [
        sent,
        await at(strict, patient).patch(path, {"body": "hello there"}),
        await at(strict, patient).post("/api/messages", body),
        await at(strict, patient).post("/api/messages", body),
        await at(strict, patient).patch(path, {"body": "again"}),
        await at(strict, patient).delete(path),
    ]

    assert_limited(answers, 3)
    assert (await at(strict, therapist).post("/api/messages", body)).status_code == 201


async def test_all_together_write_so_much_into_one_conversation(practice: Any, strict: httpx.AsyncClient) -> None:
    patient, lead, colleague = await practice.patient(), await practice.therapist(), await practice.therapist()
    await practice.book(patient, lead)
    conversation_id = await practice.team(patient, lead, colleague, patient)
    other = await practice.open(patient, lead)
    body = {"conversationId": conversation_id, "body": "hello"}

    answers = [await at(strict, person).post("/api/messages", body) for person in (patient, lead, colleague) * 2]

    assert_limited(answers, 5)
    answer = await at(strict, patient).post("/api/messages", {**body, "conversationId": other})
    assert answer.status_code == 201


async def test_both_limits_of_a_message_are_asked_for_in_one_round_trip(
    practice: Any, limited: Callable[..., Any], valkey_server: Any
) -> None:
    patient, _, conversation_id = await practice.pair()
    body = {"conversationId": conversation_id, "body": "hello"}

    async with limited(valkey_url=SecretStr(valkey_server.url)) as shared, valkey_of(valkey_server) as valkey:
        asked = []
        for _ in range(3):
            assert (await at(shared, patient).post("/api/messages", body)).status_code == 201
            asked.append((await valkey.info("commandstats"))["cmdstat_evalsha"]["calls"])

    assert [after - before for before, after in pairwise(asked)] == [1, 1]


@pytest.mark.parametrize("what", ["receipts", "search", "opening"])
async def test_receipts_searches_and_openings_have_limits_of_their_own(
    practice: Any, strict: httpx.AsyncClient, what: str
) -> None:
    patient, therapist, conversation_id = await practice.pair()
    asked = {
        "receipts": (f"/api/conversations/{conversation_id}/receipts", {"read": 1}),
        "search": ("/api/messages/search", {"text": "hello"}),
        "opening": ("/api/conversations", {"kind": "direct", "therapistId": str(therapist.id)}),
    }[what]

    assert_limited([await at(strict, patient).post(*asked) for _ in range(4)], 2)


async def test_the_longest_text_is_taken_in_any_spelling_and_one_character_more_is_not(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    face = "\N{GRINNING FACE}"
    longest = face * 10_000
    escaped = orjson.dumps({"conversationId": conversation_id, "body": ""}).replace(
        b'"body":""', b'"body":"' + b"\\ud83d\\ude00" * 10_000 + b'"'
    )

    assert (await patient.send(conversation_id, longest))["body"] == longest
    answer = await patient.ask("POST", "/api/messages", content=escaped, headers={"Content-Type": "application/json"})
    assert answer.json()["message"]["body"] == longest
    refused = await patient.post("/api/messages", {"conversationId": conversation_id, "body": longest + face})
    assert refused.status_code == 422
    assert face not in refused.text


async def test_a_text_of_a_hundred_thousand_characters_is_refused(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()

    for text, status in (("a" * 100_000, 422), ("\N{GRINNING FACE}" * 100_000, 413)):
        answer = await patient.ask(
            "POST", "/api/messages", content=orjson.dumps({"conversationId": conversation_id, "body": text}),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert answer.status_code == status


@pytest.mark.parametrize(
    "raw",
    [
        b'"heron \\u0000"',
        b'"heron bell \\u0007"',
        b'"heron return \\r\\n"',
        b'"heron escape \\u001b[31m"',
        b'"heron c1 \\u0085"',
        b'"heron half a pair \\ud83d"',
        b'"heron not utf-8 \xff"',
        b'["heron"]',
        b'{"heron": "heron"}',
        b'"   "',
        b'""',
        b"7",
        b"null",
    ],
)
async def test_what_is_no_text_is_refused_and_not_repeated(practice: Any, raw: bytes) -> None:
    patient, _, conversation_id = await practice.pair()
    content = b'{"conversationId":"' + conversation_id.encode() + b'","body":' + raw + b"}"

    answer = await patient.ask("POST", "/api/messages", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}
    assert "heron" not in answer.text
    assert len(await patient.changes(conversation_id)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines\tand a tab",
        "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
        "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}",
        "\u202eoverride",
        "<b onclick=alert(1)>not markup</b>",
        "  spaces stay  ",
    ],
)
async def test_texts_come_back_exactly_as_they_were_sent(practice: Any, text: str) -> None:
    patient, therapist, conversation_id = await practice.pair()
    await patient.send(conversation_id, text)

    assert [each["body"] for each in await therapist.history(conversation_id)] == [text]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/messages", {"conversationId": "not-an-id", "body": "hello"}),
        ("/api/messages", {"conversationId": str(uuid4())}),
        ("/api/messages", {"conversationId": str(uuid4()), "body": "hello", "authorId": str(uuid4())}),
        ("/api/messages", {"conversationId": str(uuid4()), "body": "hello", "attachmentIds": [str(uuid4()) for _ in range(11)]}),
        ("/api/messages/search", {"text": "a"}),
        ("/api/messages/search", {"text": "hello", "limit": 51}),
        ("/api/messages/search", {"text": "hello", "cursor": "nonsense"}),
        ("/api/conversations", {"kind": "group", "patientId": str(uuid4())}),
        ("/api/conversations", {"kind": "care_team"}),
        ("/api/conversations", {"kind": "care_team", "patientId": str(uuid4()), "memberIds": [str(uuid4()) for _ in range(50)]}),
        (f"/api/conversations/{uuid4()}/receipts", {"read": -1}),
        (f"/api/conversations/{uuid4()}/receipts", {"read": 2**53}),
        (f"/api/conversations/{uuid4()}/receipts", {"read": "7"}),
    ],
)
async def test_bodies_that_break_a_rule_are_refused(practice: Any, path: str, body: Any) -> None:
    therapist = await practice.therapist()

    assert (await therapist.post(path, body)).status_code == 422


@pytest.mark.parametrize("cursor", ["nonsense", "WzFd", "WyJhIl0", "Wy0xXQ"])
async def test_cursors_that_were_not_handed_out_are_refused(practice: Any, cursor: str) -> None:
    patient, _, conversation_id = await practice.pair()
    paths = {"/api/conversations": {"WzFd", "WyJhIl0", "Wy0xXQ", "nonsense"}}
    paths[f"/api/conversations/{conversation_id}/messages"] = {"WyJhIl0", "Wy0xXQ", "nonsense"}
    for path, refused in paths.items():
        answer = await patient.get(path, cursor=cursor)
        assert answer.status_code == (422 if cursor in refused else 200)
