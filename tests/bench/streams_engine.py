"""The opponent of analytics' worker: a Kafka Streams topology that counts in windows, as a process of its own."""

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from tests.bench import java_program

SOURCES = Path(__file__).parent / "kafka_streams"
THREADS = 2


def running(
    *, bootstrap: str, topic: str, application: str, folder: Path, results: str | None = None
) -> AbstractContextManager[subprocess.Popen[str]]:
    """The topology reading a topic from its beginning; started when the block begins, killed when it ends.

    Records are taken to be keyed by their group. `results` is a topic for the counts.
    """
    arguments = [bootstrap, topic, application, str(folder), str(THREADS), *([results] if results else [])]
    return java_program.running(SOURCES, "bloom.WindowCounts", arguments, os.environ)
