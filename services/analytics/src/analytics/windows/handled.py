"""Which events of a partition were counted lately: a relay that was killed sends its last ones again, with new offsets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

MOST_IDS = 100_000
"""Fifty times as many as a relay has in flight; each takes about 90 bytes of memory and 16 of the database."""

_ID_BYTES = 16
_SMALL_BATCH = 500 * _ID_BYTES
"""Below this a batch is filled up by the next, so that a quiet partition has no row an event."""


class Batch(NamedTuple):
    """The ids of events that were counted together, 16 bytes each; the last of them had this offset."""

    last_offset: int
    event_ids: bytes


class Change(NamedTuple):
    """How the remembered batches change: `batch` comes, in the place of the one that ended at `fills`, if any; old ones go."""

    batch: Batch
    fills: int | None
    forgets_until: int | None


class HandledIds:
    """The newest events of one partition; it changes only when it is told that a change was saved."""

    def __init__(self, batches: Iterable[Batch] = (), *, most: int = MOST_IDS) -> None:
        self._batches = deque(sorted(batches))
        self._most_bytes = most * _ID_BYTES
        self._bytes = sum(len(batch.event_ids) for batch in self._batches)
        self._ids = {each for batch in self._batches for each in _cut(batch.event_ids)}

    def __contains__(self, event_id: bytes) -> bool:
        """Whether the event was counted."""
        return event_id in self._ids

    def change_for(self, event_ids: bytes, last_offset: int) -> Change:
        """What remembering these too would change."""
        newest = self._batches[-1] if self._batches else None
        if newest is not None and len(newest.event_ids) < _SMALL_BATCH:
            batch, fills = Batch(last_offset, newest.event_ids + event_ids), newest.last_offset
        else:
            batch, fills = Batch(last_offset, event_ids), None
        left, forgets_until = self._bytes + len(event_ids), None
        for old in self._batches:
            left -= len(old.event_ids)
            if left < self._most_bytes or old.last_offset == fills:
                break
            forgets_until = old.last_offset
        return Change(batch, fills, forgets_until)

    def apply(self, change: Change) -> None:
        """Remember what was saved."""
        if change.fills is not None:
            self._bytes -= len(self._batches.pop().event_ids)
        while change.forgets_until is not None and self._batches and self._batches[0].last_offset <= change.forgets_until:
            old = self._batches.popleft().event_ids
            self._bytes -= len(old)
            self._ids.difference_update(_cut(old))
        self._batches.append(change.batch)
        self._bytes += len(change.batch.event_ids)
        self._ids.update(_cut(change.batch.event_ids))


def _cut(event_ids: bytes) -> Iterable[bytes]:
    return (event_ids[start : start + _ID_BYTES] for start in range(0, len(event_ids), _ID_BYTES))
