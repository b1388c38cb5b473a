"""What is looked at before anything starts, so that a machine that cannot carry the stack says so in one line."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from local_stack.errors import StackError
from local_stack.jars import java
from local_stack.ports import can_bind, port_variable, who_listens

# The first start writes 44 MB of jars and some 400 MB of server data; Kafka stops when its disk is full.
FREE_DISK_BYTES = 2 * 1024**3
# What the whole stack was measured to take while it starts, with some room.
FREE_MEMORY_BYTES = 3 * 1024**3


def check_machine(folder: Path, *, free_disk: int | None = None, free_memory: int | None = None) -> None:
    """Java, disk and memory; StackError with the cause and what would help."""
    java()
    folder.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(folder).free if free_disk is None else free_disk
    if disk < FREE_DISK_BYTES:
        raise StackError(
            "disk", f"{_gigabytes(disk)} free in {folder}, {_gigabytes(FREE_DISK_BYTES)} needed; set BLOOM_HOME to another disk"
        )
    memory = psutil.virtual_memory().available if free_memory is None else free_memory
    if memory < FREE_MEMORY_BYTES:
        raise StackError("memory", f"{_gigabytes(memory)} available, {_gigabytes(FREE_MEMORY_BYTES)} needed; end other programs")


def check_ports(wanted: Mapping[str, int]) -> None:
    """Whether every port can be taken; StackError names the first that cannot, who has it, and how to choose another."""
    for name, port in wanted.items():
        if not can_bind(port):
            raise StackError(name, f"port {port} is taken by {who_listens(port)}; free it or set {port_variable(name)}")


def _gigabytes(count: int) -> str:
    return f"{count / 1024**3:.1f} GB"


def names_of(ports: Mapping[str, int], prefixes: Iterable[str]) -> dict[str, int]:
    """The ports of these components, those of further nodes included."""
    wanted = set(prefixes)
    return {name: port for name, port in ports.items() if name in wanted}
