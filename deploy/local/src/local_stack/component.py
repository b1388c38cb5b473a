"""What every part of the stack looks like to those who start, watch and stop it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from local_stack.ports import HOST
from local_stack.process import ChildProcess


class Component(Protocol):
    """A server or a service's process. `start()` does nothing when it runs; `wait_ready()` raises StackError on failure."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def processes(self) -> Sequence[ChildProcess]: ...
    def start(self) -> None: ...
    def is_ready(self) -> bool: ...
    def wait_ready(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class OneProcess(ABC):
    """A component that is one process on one port; its class sets `port` and `_process` and knows how it starts."""

    start_seconds: ClassVar[float] = 30.0
    """How long a start may take, recovery after a crash included."""
    stop_seconds: ClassVar[float] = 25.0
    """How long it may take to end in order before it is killed."""

    port: int
    _process: ChildProcess

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    @property
    def processes(self) -> list[ChildProcess]:
        """Its process, for who measures or kills it."""
        return [self._process]

    @abstractmethod
    def start(self) -> None:
        """Start it; returns before it is ready."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it does its work."""

    def wait_ready(self, limit_seconds: float | None = None) -> None:
        """Wait until it is ready; StackError with its last words when it ends or the time is over."""
        self._process.wait_ready(self.is_ready, limit_seconds or self.start_seconds)

    def stop(self) -> None:
        """Ask it to finish what it has in hand and end."""
        self._process.stop(self.stop_seconds)

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()


@dataclass(frozen=True)
class Step:
    """One thing to do on the way up, once everything it needs is done; `work` says in a few words what came of it."""

    name: str
    needs: tuple[str, ...]
    work: Callable[[], str]


def is_running(component: Component) -> bool:
    """Whether all of its processes are alive."""
    return all(process.is_alive() for process in component.processes)


def bring_up(component: Component) -> str:
    """Start the component unless it runs, and wait until it is ready; says which of the two it was."""
    was_running = is_running(component)
    component.start()
    component.wait_ready()
    return "runs already" if was_running else "ready"
