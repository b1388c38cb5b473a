"""What is told of a window when: updates while it is open, one final result, and corrections, each with the next revision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid5

from bloom_events.ids import TenantId, WindowId

# A constant of its own, so that nobody else's names lead to the same ids.
_NAMESPACE = UUID("5b1f3b5e-0f0c-4a57-9a3c-6d1f6f0c7c11")


class WindowPlace(NamedTuple):
    """A window by its key in the tables."""

    series_id: int
    span: str
    starts_at: datetime


class Kind(StrEnum):
    """What a result is."""

    UPDATE = "update"
    FINAL = "final"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class KnownWindow:
    """A window as its row says it; `revision` is the newest that was published, 0 for none."""

    place: WindowPlace
    metric: str
    dimensions: str
    ends_at: datetime
    revision: int
    is_final: bool

    def told(self, closes: datetime | None) -> tuple[KnownWindow, Kind]:
        """The window after it was told once more; it is final once the metric's windows close after its end, and stays so."""
        is_over = closes is not None and self.ends_at <= closes
        kind = Kind.CORRECTION if self.is_final else Kind.FINAL if is_over else Kind.UPDATE
        return replace(self, revision=self.revision + 1, is_final=self.is_final or is_over), kind


def window_id_of(tenant_id: TenantId, window: KnownWindow) -> WindowId:
    """The id of a window: the same whoever makes it, today or in a replay."""
    place = window.place
    name = f"{tenant_id}|{window.metric}|{window.dimensions}|{place.span}|{place.starts_at.isoformat()}"
    return WindowId(uuid5(_NAMESPACE, name))
