"""Named points where the kill tests end the worker as a power cut would; inert outside the environment "test"."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

FailpointName: TypeAlias = Literal["claimed", "called", "marking"]
"""After the claim and before the provider is called; after the call; after the outcome is written and before it is committed."""

Failpoint: TypeAlias = Callable[[FailpointName], None]


def unarmed(_name: FailpointName) -> None:
    """Go on."""


def armed(chosen: str) -> Failpoint:
    """A name or `name:n` for its n-th passing; raises ValueError for an unknown one."""
    if not chosen:
        return unarmed
    name, _, count = chosen.partition(":")
    if name not in get_args(FailpointName):
        raise ValueError(f"a failpoint is one of {', '.join(get_args(FailpointName))}")
    left = int(count or 1)

    def passing(passed: FailpointName) -> None:
        nonlocal left
        left -= passed == name
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return passing
