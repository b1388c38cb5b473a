"""The relay's opponent: Debezium's engine, as a process of its own."""

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from tests.bench import java_program

SOURCES = Path(__file__).parent / "debezium"


def running(
    *, port: int, user: str, password: str, database: str, bootstrap: str, slot: str
) -> AbstractContextManager[subprocess.Popen[str]]:
    """The engine reading one database's outbox; started and streaming when the block begins, killed when it ends."""
    arguments = ["127.0.0.1", str(port), user, database, bootstrap, slot]
    return java_program.running(SOURCES, "bloom.DebeziumRelay", arguments, {**os.environ, "BENCH_PASSWORD": password})
