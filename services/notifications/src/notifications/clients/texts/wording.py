"""What a language has to say: for each occasion a subject, some sentences, a link's name and a short form for SMS and push.

`{when}` and `{was}` are the planned start and the one before; `{day}` is a short form of the start. No text says why somebody
comes, whom they see or what they wrote: it is read on locked screens, by employers' mail filters and by families.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notifications.domain.notices import Template


@dataclass(frozen=True, slots=True)
class Wording:
    """One occasion."""

    subject: str
    sentences: tuple[str, ...]
    link: str
    short: str


@dataclass(frozen=True, slots=True)
class Language:
    """All occasions, and what surrounds them; `at` joins a date, a time and the name of a zone, `at_short` the first two."""

    wordings: Mapping[Template, Wording]
    at: str
    at_short: str
    summary: str
    """What the calendar shows."""
    footer: str
    """Says who writes; no text asks for an answer by mail."""
    unsubscribe: str
