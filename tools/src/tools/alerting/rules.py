"""What an alert is: an expression, how long it must hold, whom it wakes, and two stories: one fires it, one does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

RUNBOOKS = "docs/operations/runbooks"
"""The folder of the pages that say what to do, below the root of the repository."""


class Severity(StrEnum):
    """Whom an alert reaches."""

    PAGE = "page"
    """Somebody is woken: people are or will soon be harmed by it."""
    TICKET = "ticket"
    """Somebody looks at it on the next working day."""


@dataclass(frozen=True, slots=True)
class Story:
    """Samples of series a minute apart, in promtool's notation, and what is seen at a moment of them.

    `labels` are those of each alert that fires then, without its name and severity; none at all in a story that must not fire.
    """

    series: Mapping[str, str]
    at: str
    labels: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `summary` is one sentence in which `{{ $labels.name }}` may stand; `board` is the dashboard to open first."""

    name: str
    summary: str
    expression: str
    lasts: str
    severity: Severity
    board: str
    fires: Story
    quiet: Story
    page: str = ""
    """The name of its runbook where it shares one; else its own."""

    @property
    def runbook(self) -> str:
        """The path of its runbook below the root of the repository."""
        return f"{RUNBOOKS}/{self.page or self.name}.md"


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that is computed beforehand, with labels that it gets."""

    name: str
    expression: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that belong together, in one file of this name."""

    name: str
    says: str
    rules: tuple[Alert | Recording, ...]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Its alerts in their order."""
        return tuple(rule for rule in self.rules if isinstance(rule, Alert))

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Its recorded series in their order."""
        return tuple(rule for rule in self.rules if isinstance(rule, Recording))
