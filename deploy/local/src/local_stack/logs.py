"""The components' logs: the last lines, or the lines as they come."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local_stack.errors import StackError

_PAUSE_SECONDS = 0.25


def matching_logs(folder: Path, name: str) -> list[Path]:
    """The logs of a component (`auth-api`) or of all whose name begins so (`auth`, `kafka`); StackError lists the names."""
    found = sorted(folder.glob("*.log"))
    exact = [path for path in found if path.stem == name]
    wanted = exact or [path for path in found if path.stem.startswith(f"{name}-")]
    if not wanted:
        names = ", ".join(path.stem for path in found) or "none yet: run `make up`"
        raise StackError(
            "logs", f"no log of '{name}'; there are: {names}" if name else f"say whose: make logs SERVICE=<name>, one of: {names}"
        )
    return wanted


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a file, however long it is."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - count * 2_000))
        return file.read().decode(errors="replace").splitlines()[-count:]


def show(paths: Sequence[Path], *, lines: int) -> None:
    """Print the last lines of each; of several, each line begins with its component."""
    for path in paths:
        for line in last_lines(path, lines):
            print(_named(path, line, several=len(paths) > 1))


def follow(paths: Sequence[Path], *, keep_on: Callable[[], bool] = lambda: True) -> None:
    """Print lines as they are written, until Ctrl-C or `keep_on()` is false."""
    offsets = {path: path.stat().st_size for path in paths}
    while keep_on():
        for path in paths:
            offsets[path] = _print_from(path, offsets[path], several=len(paths) > 1)
        sys.stdout.flush()
        time.sleep(_PAUSE_SECONDS)


def _print_from(path: Path, offset: int, *, several: bool) -> int:
    size = path.stat().st_size if path.exists() else 0
    if size < offset:
        offset = 0
    if size > offset:
        with path.open("rb") as file:
            file.seek(offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.decode(errors="replace").splitlines():
            print(_named(path, line, several=several))
        offset += len(whole)
    return offset


def _named(path: Path, line: str, *, several: bool) -> str:
    return f"{path.stem:<20} | {line}" if several else line
