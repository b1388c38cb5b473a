"""One child process with its log and its pid file: started, asked whether it lives, stopped, killed, never by name.

A pid file names the process and the moment it began, so a number that the system gave to somebody else is never
mistaken for ours. Each child leads a process group of its own, and a stop ends everything that it started.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from local_stack.errors import StackError

# How far the clock may move between writing the pid file and reading it (seconds).
_CLOCK_TOLERANCE = 2.0
# A log that is longer when its program starts becomes <name>.log.1.
_LOG_BYTES = 10_000_000


class ChildProcess:
    """A program with its command line, environment, log file and pid file.

    `guarded` children (those of tests) are killed when the process that started them ends in whatever way;
    the others outlive it and are found again through the pid file.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        pid_file: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        guarded: bool = False,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.pid_file = pid_file
        self.environment = environment
        self.folder = folder
        self.guarded = guarded
        self.stop_signal = stop_signal
        self._child: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._log_before = 0

    def start(self) -> None:
        """Start the program unless it runs; its output is appended to the log."""
        if self.is_alive():
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self._turn_log_over()
        with self.log.open("ab") as output:
            self._log_before = output.tell()
            try:
                self._child = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=None if self.environment is None else dict(self.environment),
                    cwd=self.folder,
                    start_new_session=True,
                )
            except OSError as error:
                raise StackError(self.name, f"cannot start {self.command[0]}: {error.strerror}", self.log) from error
        began = psutil.Process(self._child.pid).create_time()
        self.pid_file.write_text(json.dumps({"pid": self._child.pid, "began": began}))
        if self.guarded:
            self._guard = _guard(self._child.pid)

    def _turn_log_over(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def process(self) -> psutil.Process | None:
        """The running process, or None when it never ran, has ended, or its number belongs to somebody else now."""
        try:
            if self._child is not None:
                return psutil.Process(self._child.pid) if self._child.poll() is None else None
            noted = json.loads(self.pid_file.read_text())
            process = psutil.Process(noted["pid"])
            is_ours = abs(process.create_time() - noted["began"]) < _CLOCK_TOLERANCE
            return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
            return None

    def is_alive(self) -> bool:
        """Whether the program runs."""
        return self.process() is not None

    @property
    def pid(self) -> int | None:
        """The number of the running process, or None."""
        process = self.process()
        return process.pid if process else None

    def stop(self, limit_seconds: float = 25.0) -> bool:
        """Ask the program to end, wait, and kill what is left; True when it went by itself."""
        process = self.process()
        if process is None:
            self._forget()
            return True
        family = _family(process)
        process.send_signal(self.stop_signal)
        ended_itself = self._wait_gone([process], limit_seconds)
        self._end(family)
        return ended_itself

    def kill(self) -> None:
        """`kill -9` for the program and all that it started, as a crash or the kernel would do it."""
        process = self.process()
        if process is not None:
            self._end(_family(process))
        self._forget()

    def _end(self, family: Sequence[psutil.Process]) -> None:
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._wait_gone(family, 10.0)
        self._forget()

    def _wait_gone(self, processes: Sequence[psutil.Process], limit_seconds: float) -> bool:
        def gone() -> bool:
            if self._child is not None:
                self._child.poll()
            return not any(_lives(process) for process in processes)

        return wait_until(gone, limit_seconds, pause=0.02)

    def _forget(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._child is not None:
            # It counts as gone once its first thread is; the kernel hands it over when the last one is.
            self._child.wait(10.0)
            self._child = None
        self.pid_file.unlink(missing_ok=True)

    def wait_ready(self, is_ready: Callable[[], bool], limit_seconds: float) -> None:
        """Wait until `is_ready()`; a program that ended meanwhile, or the limit, is a StackError with the log's end."""

        def settled() -> bool:
            return not self.is_alive() or is_ready()

        if not wait_until(settled, limit_seconds, pause=0.05):
            raise StackError(self.name, f"not ready after {limit_seconds:.0f} s{self._last_words()}", self.log)
        if not self.is_alive():
            raise StackError(self.name, f"ended right after its start{self._last_words()}", self.log)

    def _last_words(self) -> str:
        line = last_telling_line(self.log, since=self._log_before)
        return f": {line}" if line else ""


def wait_until(condition: Callable[[], bool], limit_seconds: float, *, pause: float = 0.05) -> bool:
    """Ask again and again until the condition holds (True) or the limit is over (False)."""
    deadline = time.monotonic() + limit_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def last_telling_line(log: Path, *, since: int = 0, longest: int = 300) -> str:
    """The last line of a log, after `since` bytes, that names an error, else its last line; cut to fit a terminal."""
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - 16_384))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    telling = [line for line in lines if any(word in line.lower() for word in ("error", "fatal", "exception", "refuse"))]
    return ((telling or lines or [""])[-1])[:longest]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process]


def _guard(pid: int) -> subprocess.Popen[bytes]:
    # The shell waits for the end of its standard input, which comes when this process dies, however it dies.
    return subprocess.Popen(
        ["/bin/sh", "-c", 'read -r never; kill -9 "-$1" 2>/dev/null', "guard", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
    )
