"""Apache Kafka's jars: fetched once by Maven into a shared cache, and compared with the committed sha256 list each time."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from local_stack.errors import StackError
from local_stack.paths import ROOT, cache_folder

KAFKA_FOLDER = ROOT / "deploy" / "local" / "kafka"
OLDEST_JAVA = 17


def wanted_jars(listing: Path = KAFKA_FOLDER / "jars.sha256") -> dict[str, str]:
    """The committed list: sha256 in hex by file name."""
    pairs = (line.split() for line in listing.read_text().splitlines() if line.strip())
    return {name: digest for digest, name in pairs}


def kafka_classpath(cache_root: Path | None = None) -> str:
    """The class path of a broker; fetches the jars when the cache has none, refuses jars that are not the listed ones."""
    folder = (cache_root or cache_folder()) / "kafka-jars"
    wanted = wanted_jars()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / "kafka-jars.lock"):
        if _differences(folder, wanted):
            _fetch(folder, wanted)
    return f"{folder}/*"


def _differences(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    return sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))


def _fetch(folder: Path, wanted: Mapping[str, str]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError("kafka", "Maven (mvn) is not on the PATH; the first start fetches Apache Kafka's jars with it")
    log = folder.parent / "maven.log"
    fresh = Path(tempfile.mkdtemp(prefix="kafka-jars-", dir=folder.parent))
    try:
        command = [
            maven,
            "-q",
            "-B",
            "-f",
            str(KAFKA_FOLDER / "pom.xml"),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={fresh}",
        ]
        with log.open("wb") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise StackError("kafka", f"Maven could not fetch Apache Kafka: {_first_error(log)}", log)
        if different := _differences(fresh, wanted):
            raise StackError(
                "kafka", f"jars differ from the committed sha256 list: {', '.join(different)}", KAFKA_FOLDER / "jars.sha256"
            )
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _first_error(log: Path) -> str:
    errors = [line for line in log.read_text(errors="replace").splitlines() if "[ERROR]" in line]
    return errors[0].replace("[ERROR]", "").strip()[:300] if errors else "no reason given"


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@cache
def java() -> str:
    """The java program to use (of JAVA_HOME, else of the PATH), after a look at its version."""
    home = os.environ.get("JAVA_HOME")
    candidate = Path(home) / "bin" / "java" if home else None
    program = str(candidate) if candidate and candidate.exists() else shutil.which("java")
    if program is None:
        raise StackError("kafka", f"no java on the PATH; Apache Kafka needs Java {OLDEST_JAVA} or newer")
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = java_version(done.stderr + done.stdout)
    if version < OLDEST_JAVA:
        raise StackError(
            "kafka", f"{program} is Java {version or 'of an unknown version'}; Apache Kafka needs {OLDEST_JAVA} or newer"
        )
    return program


def java_version(answer: str) -> int:
    """The major version in what `java -version` says; 0 when it says none (1.8 counts as 8)."""
    found = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(found[1]) if found else 0
