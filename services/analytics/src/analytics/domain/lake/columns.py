"""What becomes of a field in the lake: a column as it is, a pseudonym, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """The type of a column, by its name in the catalogue."""

    TEXT = "text"
    TEXTS = "list of text"
    INTEGER = "64-bit integer"
    NUMBER = "double"
    FLAG = "boolean"
    TIME = "timestamp in UTC, microseconds"
    DAY = "date"


class Treatment(StrEnum):
    """Who may learn what a field says."""

    KEPT = "kept"
    """Analysts read it as it was published."""
    PSEUDONYMISED = "pseudonym"
    """Analysts see which values are the same, and nothing that leads out of the lake."""
    DROPPED = "left out"
    """Nobody reads it in the lake."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one field. `parts` are the fields of a nested one, each a column of its own."""

    treatment: Treatment
    kind: Kind | None = None
    why: str = ""
    parts: Mapping[str, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a type of event: `path` leads from the event to the value."""

    name: str
    path: tuple[str, ...]
    kind: Kind
    treatment: Treatment


def kept(kind: Kind) -> Decision:
    """The value as it was published."""
    return Decision(Treatment.KEPT, kind)


def split(**parts: Decision) -> Decision:
    """A nested object: a column for each of its fields, named `<field>_<part>`."""
    return Decision(Treatment.KEPT, parts=MappingProxyType(parts))


def dropped(why: str) -> Decision:
    """No column."""
    return Decision(Treatment.DROPPED, why=why)


PSEUDONYM = Decision(Treatment.PSEUDONYMISED, Kind.TEXT)
"""An id: the same id of one tenant is the same pseudonym in every column of every type."""

PSEUDONYMS = Decision(Treatment.PSEUDONYMISED, Kind.TEXTS)
"""A list of ids."""


def columns_for(decisions: Mapping[str, Decision]) -> tuple[Column, ...]:
    """The columns of these fields, in their order."""
    found = []
    for name, decision in decisions.items():
        if decision.kind is not None:
            found.append(Column(name, (name,), decision.kind, decision.treatment))
        for inner in columns_for(decision.parts):
            found.append(Column(f"{name}_{inner.name}", (name, *inner.path), inner.kind, inner.treatment))  # noqa: PERF401  # reads better
    return tuple(found)
