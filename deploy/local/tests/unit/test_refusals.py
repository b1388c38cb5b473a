"""What a machine that cannot carry the stack is told, in one line each; and secrets, logs and versions on the way."""

import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_stack import jars
from local_stack.__main__ import main
from local_stack.errors import StackError
from local_stack.jars import java_version, kafka_classpath, wanted_jars
from local_stack.logs import follow, last_lines, matching_logs
from local_stack.preflight import check_machine
from local_stack.secret_files import new_key, secret
from local_stack.stack import only_one_command


@pytest.mark.parametrize(
    ("answer", "version"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_391"', 8), ('openjdk version "25" 2025', 25), ("?", 0)],
)
def test_the_major_version_of_java_is_read_from_what_it_says(answer: str, version: int) -> None:
    assert java_version(answer) == version


def test_too_little_disk_is_told_with_the_amount_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"disk: 0\.5 GB free .* 2\.0 GB needed; set BLOOM_HOME"):
        check_machine(tmp_path, free_disk=512 * 1024**2)


def test_too_little_memory_is_told_with_the_amount(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"memory: 1\.0 GB available, 3\.0 GB needed"):
        check_machine(tmp_path, free_disk=10 * 1024**3, free_memory=1024**3)


@pytest.fixture
def empty_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    jars.java.cache_clear()
    yield tmp_path / "bin"
    jars.java.cache_clear()


def test_no_java_is_one_line(empty_path: Path) -> None:
    with pytest.raises(StackError, match="kafka: no java on the PATH; Apache Kafka needs Java 17 or newer"):
        jars.java()


def test_a_java_that_is_too_old_is_one_line(empty_path: Path) -> None:
    empty_path.mkdir()
    program = empty_path / "java"
    program.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n")
    program.chmod(0o755)
    with pytest.raises(StackError, match="is Java 11; Apache Kafka needs 17 or newer"):
        jars.java()


def test_no_maven_at_the_first_start_is_one_line(empty_path: Path, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"Maven .mvn. is not on the PATH"):
        kafka_classpath(tmp_path / "empty-cache")


def test_a_maven_that_fails_is_told_with_its_first_error_and_log(empty_path: Path, tmp_path: Path) -> None:
    empty_path.mkdir()
    program = empty_path / "mvn"
    program.write_text("#!/bin/sh\necho '[INFO] x'\necho '[ERROR] repository is unreachable'\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(StackError) as failed:
        kafka_classpath(tmp_path / "cache")
    log = tmp_path / "cache" / "maven.log"
    assert str(failed.value) == f"kafka: Maven could not fetch Apache Kafka: repository is unreachable (log: {log})"


def test_a_jar_that_is_not_the_listed_one_is_refused(empty_path: Path, tmp_path: Path) -> None:
    empty_path.mkdir()
    program = empty_path / "mvn"
    program.write_text('#!/bin/sh\nfor last; do :; done\necho evil > "${last#-DoutputDirectory=}/kafka_2.13-4.3.1.jar"\n')
    program.chmod(0o755)
    with pytest.raises(StackError, match=r"jars differ from the committed sha256 list: .*kafka_2.13-4.3.1.jar"):
        kafka_classpath(tmp_path / "cache")
    assert not (tmp_path / "cache" / "kafka-jars").exists()


def test_the_committed_list_names_every_jar_once_with_a_sha256() -> None:
    wanted = wanted_jars()
    assert {"kafka_2.13-4.3.1.jar", "log4j-slf4j-impl-2.25.4.jar"} <= wanted.keys()
    assert all(len(digest) == len(hashlib.sha256().hexdigest()) for digest in wanted.values())


def test_two_commands_at_once_are_refused(tmp_path: Path) -> None:
    with only_one_command(tmp_path), pytest.raises(StackError, match="another command is at work"), only_one_command(tmp_path):
        pass


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    with ThreadPoolExecutor(8) as pool:
        values = set(pool.map(lambda _: secret(folder, "key", new_key), range(32)))
    assert len(values) == 1
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_commands_on_a_stack_that_never_ran_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BLOOM_HOME", str(tmp_path))
    assert (main(["status"]), main(["demo"]), main(["logs", "auth-api"]), main(["down"])) == (1, 1, 1, 0)
    said = capsys.readouterr()
    assert "Next: make up" in said.out
    assert "demo failed: stack: the platform does not run; start it with `make up`" in said.err
    assert len(said.err.splitlines()) == 2


def test_reset_asks_and_does_nothing_when_nobody_can_answer(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    environment = {**os.environ, "BLOOM_HOME": str(tmp_path)}

    def reset(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local_stack", "reset", *options]
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    asked = reset()
    assert (asked.returncode, (tmp_path / "data").exists()) == (1, True)
    assert "make reset YES=1" in asked.stderr
    assert reset("--yes").returncode == 0
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("nodes", ["2", "none", "0"])
def test_a_number_of_nodes_that_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], nodes: str
) -> None:
    monkeypatch.setenv("BLOOM_HOME", str(tmp_path))
    monkeypatch.setenv("KAFKA_NODES", nodes)
    assert main(["up"]) == 1
    assert f"KAFKA_NODES={nodes} is neither 1 nor 3" in capsys.readouterr().err


def test_a_beginning_names_the_logs_of_all_processes_of_a_service(tmp_path: Path) -> None:
    for name in ("auth-api", "auth-relay", "billing-api"):
        (tmp_path / f"{name}.log").write_text("line\n")
    assert [path.stem for path in matching_logs(tmp_path, "auth")] == ["auth-api", "auth-relay"]
    assert [path.stem for path in matching_logs(tmp_path, "auth-api")] == ["auth-api"]
    with pytest.raises(StackError, match="no log of 'mail'; there are: auth-api, auth-relay, billing-api"):
        matching_logs(tmp_path, "mail")


def test_the_last_lines_of_a_log_are_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {number}\n" for number in range(5_000)))
    assert last_lines(log, 3) == ["line 4997", "line 4998", "line 4999"]


def test_following_a_log_prints_what_is_written_meanwhile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "x.log"
    log.write_text("before\n")
    rounds = iter([True, True, False])

    def keep_on() -> bool:
        log.write_text(log.read_text() + "meanwhile\n")
        return next(rounds)

    follow([log], keep_on=keep_on)
    assert capsys.readouterr().out == "meanwhile\nmeanwhile\n"
