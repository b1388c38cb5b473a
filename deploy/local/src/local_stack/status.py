"""What runs, as a table: state, address, process number, memory and age of every component."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from local_stack.component import Component
from local_stack.kafka import KafkaCluster
from local_stack.process import ChildProcess
from local_stack.stack import Stack


@dataclass(frozen=True)
class Row:
    """One process: memory in bytes, shared pages counted once among those who share them; age in seconds."""

    component: str
    state: str
    address: str
    pid: int | None = None
    memory: int | None = None
    age: float | None = None


def rows(stack: Stack) -> list[Row]:
    """A row for each process of the stack, in the order of the start."""
    return [row for component in stack.components for row in _rows_of(component)]


def is_whole(found: Sequence[Row]) -> bool:
    """Whether everything is ready."""
    return all(row.state == "ready" for row in found)


def table(found: Sequence[Row]) -> str:
    """The rows as text, with the sum of the memory below."""
    lines = [f"{'component':<22} {'state':<10} {'address':<17} {'pid':>8} {'memory':>9} {'up for':>9}"]
    for row in found:
        pid = "-" if row.pid is None else str(row.pid)
        lines.append(
            f"{row.component:<22} {row.state:<10} {row.address:<17} {pid:>8} {_megabytes(row.memory):>9} {_age(row.age):>9}"
        )
    total = sum(row.memory or 0 for row in found)
    lines.append(f"{'all':<22} {'':<10} {'':<17} {'':>8} {_megabytes(total):>9}")
    return "\n".join(lines)


def memory_of(process: psutil.Process) -> int:
    """Bytes of memory of a process and its children, each shared page divided among those that share it."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            total += member.memory_info().rss
    return total


def _rows_of(component: Component) -> list[Row]:
    if isinstance(component, KafkaCluster):
        live = component.live_nodes()
        return [_row(node.process, node.address, is_ready=number in live) for number, node in component.nodes.items()]
    is_ready = component.is_ready()
    return [_row(process, component.address, is_ready=is_ready) for process in component.processes]


def _row(process: ChildProcess, address: str, *, is_ready: bool) -> Row:
    found = process.process()
    if found is None:
        return Row(process.name, "down", address)
    try:
        age = time.time() - found.create_time()
        return Row(process.name, "ready" if is_ready else "not ready", address, found.pid, memory_of(found), age)
    except psutil.NoSuchProcess:
        return Row(process.name, "down", address)


def _megabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 1_000_000:.0f} MB"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"
