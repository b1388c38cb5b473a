"""Searching in one's own conversations, page by page, within a bound."""

from __future__ import annotations

from typing import Any

import pytest

from messaging.use_cases import search as search_use_case
from messaging.use_cases.search import MOST_OPENED, _look_through


async def found_by(person: Any, text: str, **more: Any) -> tuple[list[str], int]:
    """All that a search finds, page after page, and how many pages that took."""
    bodies: list[str] = []
    cursor, pages = None, 0
    while True:
        page = await person.search(text, **more, **({"cursor": cursor} if cursor else {}))
        bodies += [each["body"] for each in page["items"]]
        cursor, pages = page["nextCursor"], pages + 1
        if cursor is None:
            return bodies, pages


async def test_a_search_finds_what_is_written_now_without_regard_to_case(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    for text in ("The heron is grey.", "No bird here.", "HERONS fly south."):
        await patient.send(conversation_id, text)
    deleted = await therapist.send(conversation_id, "a deleted heron")
    await therapist.delete(f"/api/messages/{deleted['id']}")
    edited = await therapist.send(conversation_id, "a stork")
    await therapist.patch(f"/api/messages/{edited['id']}", {"body": "a heron after all"})

    assert await found_by(patient, "heron") == (["a heron after all", "HERONS fly south.", "The heron is grey."], 1)
    assert await found_by(patient, "stork") == ([], 1)


async def test_a_search_looks_into_ones_own_conversations_only(practice: Any) -> None:
    patient, therapist, conversation_id = await practice.pair()
    other_patient, other_therapist, elsewhere = await practice.pair()
    await patient.send(conversation_id, "a grey heron")
    await other_patient.send(elsewhere, "a white heron")

    assert await found_by(therapist, "heron") == (["a grey heron"], 1)
    assert await found_by(other_therapist, "heron") == (["a white heron"], 1)
    assert await found_by(therapist, "heron", conversationId=elsewhere) == ([], 1)


async def test_a_search_goes_conversation_by_conversation_the_youngest_first(practice: Any) -> None:
    therapist, patients, conversations = await practice.therapist(), [], []
    for number in range(3):
        patients.append(await practice.patient())
        await practice.book(patients[-1], therapist)
        conversations.append(await practice.open(patients[-1], therapist))
        await patients[-1].send(conversations[-1], f"heron {number}a")
        await therapist.send(conversations[-1], f"heron {number}b")

    in_order = ["heron 2b", "heron 2a", "heron 1b", "heron 1a", "heron 0b", "heron 0a"]
    assert await found_by(therapist, "heron") == (in_order, 1)
    bodies, pages = await found_by(therapist, "heron", limit=1)
    assert bodies == in_order
    assert pages >= 6
    assert (await found_by(therapist, "heron", limit=4))[0] == in_order
    assert (await found_by(therapist, "heron", conversationId=conversations[1]))[0] == ["heron 1b", "heron 1a"]


@pytest.mark.timeout(240)
async def test_one_request_looks_into_a_bounded_number_of_messages(practice: Any) -> None:
    patient, _, conversation_id = await practice.pair()
    await patient.send(conversation_id, "the only heron")
    for _ in range(MOST_OPENED):
        await patient.send(conversation_id, "no bird")

    first = await patient.search("heron")

    assert (first["items"], first["nextCursor"] is not None) == ([], True)
    assert await found_by(patient, "heron") == (["the only heron"], 2)


def test_one_request_compares_a_bounded_number_of_characters() -> None:
    class Text:
        """As much of a readable message as is looked at."""

        def __init__(self, place: int) -> None:
            self.body = "x" * 10_000
            self.message = type("M", (), {"conversation_id": None, "sequence": place})()

    many: Any = [Text(place) for place in range(100)]

    found = _look_through(many, "heron", 10, is_all=True)

    assert found.messages == []
    assert found.goes_on_before == (None, search_use_case.MOST_CHARACTERS // 10_000)
