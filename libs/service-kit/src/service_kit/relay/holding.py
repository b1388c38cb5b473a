"""Topics that Kafka lacks: their rows wait a while in the outbox, everything else goes on."""

import time
from collections.abc import Callable, Collection


class HeldTopics:
    """Remembers since when which declared topic has been missing."""

    def __init__(self, declared: Collection[str], grace_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._declared = frozenset(declared)
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._since: dict[str, float] = {}

    @property
    def sendable(self) -> list[str]:
        """The declared topics that are not missing."""
        return sorted(self._declared - self._since.keys())

    @property
    def missing(self) -> list[str]:
        """The declared topics that Kafka lacks."""
        return sorted(self._since)

    @property
    def waiting(self) -> list[str]:
        """The missing topics that may still appear; rows of those missing for longer are given up."""
        now = self._clock()
        return sorted(topic for topic, since in self._since.items() if now - since < self._grace_seconds)

    def hold(self, topics: Collection[str]) -> None:
        """Begin to hold rows of these topics back."""
        for topic in topics:
            self._since.setdefault(topic, self._clock())

    def release(self, existing: Collection[str]) -> None:
        """Send rows of these topics again."""
        for topic in existing:
            self._since.pop(topic, None)
