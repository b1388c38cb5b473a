"""Named points where kill tests end a process as a power cut would; inert outside the environment "test"."""

import os
import signal
from collections.abc import Callable, Collection, Mapping

Failpoint = Callable[[str], None]
"""Passes the point of this name, or ends the process there if the point is armed."""


def no_failpoint(name: str) -> None:
    """Go on: no point is armed."""


def armed_by(variable: str, names: Collection[str], *, environment: str, variables: Mapping[str, str] | None = None) -> Failpoint:
    """Read an environment variable: a name, or `name:n` for its n-th passing; raises ValueError for an unknown name."""
    chosen = (os.environ if variables is None else variables).get(variable, "")
    if not chosen or environment != "test":
        return no_failpoint
    name, _, count = chosen.partition(":")
    if name not in names:
        raise ValueError(f"{variable} knows only {', '.join(names)}")
    return _killer(name, int(count or 1))


def _killer(chosen: str, count: int) -> Failpoint:
    left = count

    def passing(name: str) -> None:
        nonlocal left
        left -= name == chosen
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return passing
