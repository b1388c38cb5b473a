"""Building blocks of the bodies."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

MAX_NOTE_LENGTH = 2_000
_ALLOWED_CONTROLS = frozenset("\n\t")


class Request(BaseModel):
    """A body that a caller sends."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Response(BaseModel):
    """A body that is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _readable(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} and character not in _ALLOWED_CONTROLS for character in text):
        raise ValueError("must be plain text: no control characters but line breaks and tabs")
    return text


Note = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NOTE_LENGTH),
    AfterValidator(_readable),
    Field(examples=["Spoke with the patient by phone; appointment tomorrow morning."]),
]
"""What somebody writes about how an alert was dealt with: plain text of 1 to 2000 characters."""
