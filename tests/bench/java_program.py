"""Opponents in Java: their libraries fetched by Maven, their one source compiled once, into the cache."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local_stack.jars import java
from local_stack.paths import cache_folder

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def build(sources: Path) -> Path:
    """Fetch the jars and compile the program, once per version of its sources; returns the folder."""
    parts = sorted(path for path in sources.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:12]
    folder = cache_folder() / f"{sources.name}-{digest}"
    if (folder / "classes").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    print(f"   fetching and compiling {sources.name}", flush=True)
    where = [f"-DoutputDirectory={folder / 'lib'}", "-DincludeScope=runtime"]
    subprocess.run(["mvn", "-q", "-B", "-f", str(sources / "pom.xml"), COPY, *where], check=True, capture_output=True)
    javac = str(Path(shutil.which(java()) or "java").resolve().with_name("javac"))
    programs = [str(path) for path in parts if path.suffix == ".java"]
    subprocess.run([javac, "-cp", f"{folder / 'lib'}/*", "-d", str(folder / "classes"), *programs], check=True)
    return folder


@contextmanager
def running(
    sources: Path, program: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """The program; it has said "started" when the block begins, and is killed when it ends."""
    folder = build(sources)
    command = [java(), "-Xmx512m", "-cp", f"{folder / 'classes'}:{folder / 'lib'}/*", program, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(environment)) as process:
        try:
            if process.stdout is None or process.stdout.readline().strip() != "started":
                raise RuntimeError(f"{program} did not start")
            yield process
        finally:
            process.kill()
            process.wait()
