"""A container engine to build and run images with: the one that runs here, else one of its own where that is possible.

`ENGINE` names the program (docker, podman, buildah); without it the first that answers is taken. Where none answers, and whoever
asks is root where `dockerd` is installed, one is started on a private socket, its data below the state folder, and stopped again.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.paths import state_folder
from local_stack.process import ChildProcess, wait_until

# Those of BuildKit's formats that not every engine knows are not used, and the health check is a thing of Docker's format.
_FORMATS: Mapping[str, tuple[str, ...]] = {"podman": ("--format", "docker"), "buildah": ("--format", "docker")}
_START_SECONDS = 60.0


class EngineError(Exception):
    """No engine can be used here, or it could not do what it was asked to; `str()` says why and what would help."""


@dataclass(frozen=True)
class Engine:
    """A program that builds and, but for buildah, runs containers; `environment` is what it needs to be told."""

    program: str
    environment: Mapping[str, str] = field(default_factory=dict)
    is_private: bool = False

    def run(self, *arguments: str, check: bool = True, shown: bool = False) -> subprocess.CompletedProcess[str]:
        """Give it a command; what it prints is kept unless it is to be shown. EngineError when it fails and `check` is set."""
        done = subprocess.run(
            [self.program, *arguments], env={**os.environ, **self.environment}, text=True, capture_output=not shown, check=False
        )
        if check and done.returncode != 0:
            said = "" if shown else (done.stderr or done.stdout).strip()[-2000:]
            raise EngineError(f"{self.program} {' '.join(arguments[:2])} failed with {done.returncode}. {said}")
        return done

    def text(self, *arguments: str) -> str:
        """What a command prints."""
        return self.run(*arguments).stdout.strip()

    def has_image(self, name: str) -> bool:
        """Whether the image is here, without looking anywhere else."""
        return self.run("inspect", "--type", "image", name, check=False).returncode == 0

    def build(self, folder: Path, dockerfile: Path, tag: str, arguments: Mapping[str, str]) -> None:
        """Build an image from a folder; shows what the engine says."""
        told = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
        # A private engine may stand behind the machine's own way to the network, which a build then takes as well.
        network = ("--network", "host") if self.is_private else ()
        self.run(
            "build",
            *_FORMATS.get(self.name, ()),
            *network,
            "--file",
            str(dockerfile),
            "--tag",
            tag,
            *told,
            str(folder),
            shown=True,
        )

    @property
    def name(self) -> str:
        """The program's name without its folder."""
        return Path(self.program).name


@contextmanager
def open_engine(environment: Mapping[str, str] = os.environ) -> Iterator[Engine]:
    """An engine for as long as the block runs; EngineError when there is none and none can be started."""
    asked = environment.get("ENGINE")
    found = _running([asked] if asked else ["docker", "podman", "buildah"])
    if found is not None:
        yield found
    elif asked not in {None, "docker"}:
        raise EngineError(f"ENGINE={asked} does not answer on this machine")
    else:
        with _private_engine(state_folder() / "engine") as started:
            yield started


def _running(programs: Sequence[str]) -> Engine | None:
    for program in programs:
        path = shutil.which(program)
        if path and subprocess.run([path, "info"], capture_output=True, check=False).returncode == 0:
            return Engine(path)
    return None


@contextmanager
def _private_engine(folder: Path) -> Iterator[Engine]:
    client = shutil.which("docker")
    missing = [
        reason
        for is_missing, reason in (
            (os.geteuid() != 0, "only root can start one"),
            (client is None or shutil.which("dockerd") is None, "docker and dockerd are not installed (Debian: docker.io)"),
        )
        if is_missing
    ]
    if client is None or missing:
        raise EngineError(f"no container engine answers, and none can be started here: {'; '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    address = f"unix://{folder / 'socket'}"
    # BuildKit is not part of Debian's engine; the builder that is needs no more than these Dockerfiles ask for.
    engine = Engine(client, {"DOCKER_HOST": address, "DOCKER_BUILDKIT": "0"}, is_private=True)
    places = [f"--{name}={folder / name}" for name in ("data-root", "exec-root", "pidfile")]
    daemon = ChildProcess(
        "dockerd",
        ["dockerd", *places, "--host", address, "--log-level", "warn"],
        log=folder / "dockerd.log",
        pid_file=folder / "dockerd.pid",
    )
    daemon.start()
    try:
        if not wait_until(lambda: engine.run("info", check=False).returncode == 0, _START_SECONDS, pause=0.5):
            raise EngineError(f"dockerd did not start within {_START_SECONDS:.0f} s; its log is {folder / 'dockerd.log'}")
        yield engine
    finally:
        daemon.stop()
