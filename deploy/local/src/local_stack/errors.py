"""The one error of this package: what failed, why, and where the log lies, on one line."""

from pathlib import Path


class StackError(Exception):
    """A component could not do what it was asked; `str()` is the one line that a person needs to see."""

    def __init__(self, component: str, cause: str, log: Path | None = None) -> None:
        self.component = component
        self.cause = " ".join(cause.split())
        self.log = log
        super().__init__(f"{component}: {self.cause}" + (f" (log: {log})" if log else ""))
