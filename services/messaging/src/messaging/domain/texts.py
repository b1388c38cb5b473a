"""What may stand in a message, and how texts are compared in a search."""

from __future__ import annotations

import re
import unicodedata

MAX_BODY_CHARACTERS = 10_000
"""The longest text of a message, in Unicode code points."""

# Control characters but line feed and tab, and halves of surrogate pairs, which are no text in any encoding.
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def flaw_of(text: str) -> str | None:
    """Why this cannot be the text of a message, in words that do not repeat it; None when it can."""
    if len(text) > MAX_BODY_CHARACTERS:
        return f"must have at most {MAX_BODY_CHARACTERS} characters"
    if _REFUSED.search(text):
        return "must not contain control characters other than line feed and tab"
    return None


def comparable(text: str) -> str:
    """The text as a search compares it: without differences of case, width or composition."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
