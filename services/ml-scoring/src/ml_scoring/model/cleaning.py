"""Text cleaning, by name: a model names in its config.json the cleaning that its training text had.

A cleaning never changes under its name; a better one gets a name of its own.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text ready for the tokenizer, and which share of its letters is still in it."""

    text: str
    readable: float


Cleaning = Callable[[str], Cleaned]

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_DROPPED = re.compile(r"[^A-Za-z0-9'!?. ]+")
_SPACES = re.compile(r" {2,}")
# The tokenizer reads a longer word as one unknown token, so it would be dropped in silence.
_LONG_WORD = re.compile(r"([^ ]{100})(?=[^ ])")
# What phones and word processors write for the training text's plain marks; other hyphens, spaces and line breaks part words.
_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc`\u00b4", "'")
    | dict.fromkeys("-/\u2010\u2011\u2012\u2013\u2014\u2015\u2044\u2212\t\n\r\v\f\x85\u2028\u2029", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad")
)


def forum_english(text: str) -> Cleaned:
    """English as in the posts that the model learned from: HTML unescaped, addresses, line breaks, `-` and `/` to a space, then
    only `A-Za-z0-9'!?. ` kept and spaces folded.

    Typographic marks and styled or accented letters, which those posts did not have, become their plain forms first.
    """
    unescaped = _ADDRESS.sub(" ", html.unescape(text)).translate(_PLAIN)
    plain = unicodedata.normalize("NFKD", unescaped).translate(_PLAIN)
    kept = _SPACES.sub(" ", _DROPPED.sub("", plain))
    return Cleaned(_LONG_WORD.sub(r"\1 ", kept).strip(), _share(_letters(kept), _letters(plain)))


def unchanged(text: str) -> Cleaned:
    """The text as it is but for lone surrogates, which no tokenizer takes: XLM-RoBERTa's does all the rest itself."""
    return Cleaned(text.encode(errors="replace").decode(), readable=1.0)


CLEANINGS: Mapping[str, Cleaning] = MappingProxyType({"forum-english-1": forum_english, "none": unchanged})
"""Every cleaning that a model may name."""


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
