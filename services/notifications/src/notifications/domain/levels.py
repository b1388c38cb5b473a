"""How levels of risk compare: they only rise."""

from __future__ import annotations

from collections.abc import Iterable

from bloom_events.risk import RiskLevel

_ORDER = tuple(RiskLevel)

UNSCORED_LEVEL = RiskLevel.MODERATE
"""What a message counts as that had no score in time."""

CALLING_LEVELS = frozenset({RiskLevel.HIGH, RiskLevel.CRITICAL})
"""From here on a score calls people."""


def severity(level: RiskLevel) -> int:
    """The place of a level in their order, the least urgent first."""
    return _ORDER.index(level)


def worst(levels: Iterable[RiskLevel]) -> RiskLevel | None:
    """The most urgent of these, if there is any."""
    return max(levels, key=severity, default=None)


def is_worse(level: RiskLevel, than: RiskLevel | None) -> bool:
    """Whether a level is more urgent than another one, or than nothing."""
    return than is None or severity(level) > severity(than)
