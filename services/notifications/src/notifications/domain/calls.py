"""A call: people are asked to answer an alert, by every channel beside the open page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bloom_events.alerts import ChainStep
from bloom_events.ids import AlertId, UserId
from bloom_events.risk import RiskLevel


class CallReason(StrEnum):
    """Why people are called."""

    RAISED = "raised"
    ESCALATED = "escalated"
    HANDED_OVER = "handed_over"
    LEVEL_RAISED = "level_raised"
    """A further message is worse than those before, so whoever has the alert in hand is told once more."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who is called about which alert, and why; `round` counts the alert's calls from 1, a raised level keeps the round.

    `deadline` is when the next ones are called; none when somebody has acknowledged the alert already.
    """

    alert_id: AlertId
    reason: CallReason
    round: int
    step: ChainStep
    level: RiskLevel
    people: tuple[UserId, ...]
    deadline: datetime | None

    @property
    def key(self) -> str:
        """Names the call within its alert: whatever is repeated or redelivered, an alert makes one call of this name."""
        return f"level_{self.level}" if self.reason is CallReason.LEVEL_RAISED else f"round_{self.round}"

    @property
    def breaks_quiet_hours(self) -> bool:
        """Whether it reaches people who asked to be left alone at this hour: nothing silences a critical alert."""
        return self.level is RiskLevel.CRITICAL
