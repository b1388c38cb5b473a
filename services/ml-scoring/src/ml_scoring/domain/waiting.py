"""Messages that wait for their key: they are tried again, soon at first, then at longer intervals, for as long as it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bloom_events.envelope import Envelope
from bloom_events.messaging import MessageEvent

FIRST_WAIT = timedelta(milliseconds=250)
"""Between the first try, which is made at once because the key may be on its way, and the second."""

LONGEST_WAIT = timedelta(seconds=5)
"""Short, because the first thing that a person in need of help notices is that nobody answers."""

LEASE = timedelta(seconds=30)
"""How long a message belongs to the worker that tries it; another one takes it over after that."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies in its topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Received:
    """A change of a message as it was read from Kafka, still sealed."""

    cause: Envelope[MessageEvent]
    place: Place
    received_at: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message whose key could not be had, after so many tries."""

    received: Received
    attempts: int
    next_try_at: datetime

    @classmethod
    def begin(cls, received: Received, now: datetime) -> Waiting:
        """It is due at once."""
        return cls(received, 0, now)

    def again(self, now: datetime) -> Waiting:
        """The same after one more try that failed."""
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self.attempts, 10))
        return Waiting(self.received, self.attempts + 1, now + wait)
