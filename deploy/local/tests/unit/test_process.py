"""Child processes: found again by pid file, never mistaken for others, stopped with all that they started."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local_stack.errors import StackError
from local_stack.process import ChildProcess, last_telling_line, wait_until


def child(folder: Path, script: str, *, guarded: bool = False) -> ChildProcess:
    return ChildProcess(
        "example", ["/bin/sh", "-c", script], log=folder / "example.log", pid_file=folder / "example.pid", guarded=guarded
    )


def test_a_second_look_through_the_pid_file_finds_the_running_process(tmp_path: Path) -> None:
    first = child(tmp_path, "exec sleep 60")
    first.start()
    try:
        assert child(tmp_path, "exec sleep 60").pid == first.pid
    finally:
        first.kill()
    assert child(tmp_path, "exec sleep 60").pid is None


def test_a_number_that_belongs_to_another_process_now_is_not_taken_for_ours(tmp_path: Path) -> None:
    process = child(tmp_path, "exec sleep 60")
    process.pid_file.write_text(json.dumps({"pid": os.getpid(), "began": 1.0}))
    process.stop()
    assert psutil.pid_exists(os.getpid())
    assert not process.is_alive()


@pytest.mark.parametrize("text", ["", "{}", "nonsense", "[1]", '{"pid": "x", "began": 1}'])
def test_a_broken_pid_file_counts_as_not_running(tmp_path: Path, text: str) -> None:
    process = child(tmp_path, "exec sleep 60")
    process.pid_file.write_text(text)
    assert not process.is_alive()


def test_a_stop_leaves_nothing_of_what_the_program_started(tmp_path: Path) -> None:
    process = child(tmp_path, f"sleep 61 & echo $! > {tmp_path}/grandchild; wait")
    process.start()
    assert wait_until(lambda: (tmp_path / "grandchild").exists() and (tmp_path / "grandchild").read_text() != "", 10)
    grandchild = int((tmp_path / "grandchild").read_text())
    process.stop()
    assert not process.is_alive()
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


def test_a_program_that_does_not_listen_is_killed_after_the_limit(tmp_path: Path) -> None:
    process = child(tmp_path, f"trap '' TERM; touch {tmp_path}/deaf; while :; do sleep 0.05; done")
    process.start()
    assert wait_until((tmp_path / "deaf").exists, 10)
    assert process.stop(0.2) is False
    assert not process.is_alive()


def test_a_program_that_crashes_at_its_start_is_one_line_with_its_last_words_and_the_log(tmp_path: Path) -> None:
    process = child(tmp_path, "echo 'first line'; echo 'ERROR the disk is full'; echo bye; exit 3")
    process.start()
    with pytest.raises(StackError) as failed:
        process.wait_ready(lambda: False, 10)
    assert str(failed.value) == f"example: ended right after its start: ERROR the disk is full (log: {process.log})"
    process.kill()


def test_a_program_that_never_gets_ready_is_said_so_after_the_limit(tmp_path: Path) -> None:
    process = child(tmp_path, "exec sleep 60")
    process.start()
    try:
        with pytest.raises(StackError, match="not ready after 0 s"):
            process.wait_ready(lambda: False, 0.1)
    finally:
        process.kill()


def test_words_of_an_earlier_run_are_not_told_as_those_of_this_one(tmp_path: Path) -> None:
    log = tmp_path / "example.log"
    log.write_text("ERROR long ago\n")
    assert last_telling_line(log, since=log.stat().st_size) == ""


def test_a_program_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    process = ChildProcess("example", ["/does/not/exist"], log=tmp_path / "a.log", pid_file=tmp_path / "a.pid")
    with pytest.raises(StackError, match="cannot start /does/not/exist"):
        process.start()


def test_a_guarded_program_dies_with_the_one_that_started_it_even_by_sigkill(tmp_path: Path) -> None:
    script = f"""
import pathlib, time
from local_stack.process import ChildProcess
folder = pathlib.Path({str(tmp_path)!r})
ChildProcess("x", ["sleep", "62"], log=folder / "x.log", pid_file=folder / "x.pid", guarded=True).start()
(folder / "started").touch()
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    assert wait_until((tmp_path / "started").exists, 20)
    guarded = json.loads((tmp_path / "x.pid").read_text())["pid"]
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    assert wait_until(lambda: not psutil.pid_exists(guarded) or psutil.Process(guarded).status() == psutil.STATUS_ZOMBIE, 10)
