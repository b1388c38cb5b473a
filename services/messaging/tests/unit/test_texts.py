"""What may stand in a message, and how a search compares."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from messaging.domain.texts import MAX_BODY_CHARACTERS, comparable, flaw_of
from messaging.schemas.messages import EditRequest, MessageRequest, SearchRequest

CONVERSATION = "0195a000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "two\nlines\tand a tab",
        "\N{GRINNING FACE}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}",
        "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
        "\u202eright to left override is text; who shows it isolates it",
        "<script>alert(1)</script>",
        "a" * MAX_BODY_CHARACTERS,
        "\N{GRINNING FACE}" * MAX_BODY_CHARACTERS,
    ],
)
def test_texts_of_all_scripts_are_taken_as_they_are(text: str) -> None:
    assert flaw_of(text) is None
    assert MessageRequest.model_validate({"conversationId": CONVERSATION, "body": text}).body == text


@pytest.mark.parametrize(
    "character", [chr(code) for code in [*range(9), 11, 12, 13, *range(14, 32), *range(127, 160)]] + ["\ud800"]
)
def test_control_characters_are_refused(character: str) -> None:
    assert flaw_of(f"a{character}b") == "must not contain control characters other than line feed and tab"


def test_a_text_has_at_most_ten_thousand_characters() -> None:
    assert flaw_of("a" * (MAX_BODY_CHARACTERS + 1)) == "must have at most 10000 characters"


@pytest.mark.parametrize("body", ["", "  \n\t ", "\N{NO-BREAK SPACE}"])
def test_a_message_says_something(body: str) -> None:
    with pytest.raises(ValidationError):
        MessageRequest.model_validate({"conversationId": CONVERSATION, "body": body})
    with pytest.raises(ValidationError):
        EditRequest(body=body)
    files = [CONVERSATION]
    assert MessageRequest.model_validate({"conversationId": CONVERSATION, "body": body, "attachmentIds": files}).attachment_ids


@pytest.mark.parametrize("text", ["", "a", "a" * 201])
def test_a_search_has_from_2_to_200_characters(text: str) -> None:
    with pytest.raises(ValidationError):
        SearchRequest(text=text)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Stra\u00dfe", "STRASSE"), ("\uff21\uff22", "ab"), ("e\u0301", "\u00c9"), ("\u0130", "i\u0307"), ("\ufb01", "FI")],
)
def test_a_search_overlooks_case_width_and_composition(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)
