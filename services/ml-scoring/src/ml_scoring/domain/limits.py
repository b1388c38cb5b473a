"""Limits that operators set: of keys in memory and of texts in hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPolicy:
    """How long and how many keys are kept, and how long a batch waits for those that are not (seconds)."""

    kept_seconds: float
    most: int
    patience_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShape:
    """How many texts of one model are scored at a time, and how many may be in hand."""

    threads: int
    queue_limit: int
