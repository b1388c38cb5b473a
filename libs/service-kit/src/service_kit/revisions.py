"""Whoever changes something has to have seen its current revision: nobody overwrites what he has not seen."""

from __future__ import annotations

from service_kit.errors import PreconditionFailed


def check_revision(*, current: int, seen: int) -> None:
    """Raises PreconditionFailed unless the caller has seen the current revision."""
    if current != seen:
        raise PreconditionFailed
