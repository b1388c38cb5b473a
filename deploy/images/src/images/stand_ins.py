"""A stand-in for the base image on machines that can pull none: Debian's own Python under the real name.

It is for building and testing where no registry can be reached, and says so in a label; what carries that is not for publishing.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images.catalog import PYTHON_IMAGE
from images.engine import Engine, EngineError

LABEL = "org.bloom.stand-in"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-pip,ca-certificates,netbase"
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def ensure_base(engine: Engine) -> bool:
    """Have the base image: the one that is here, else pulled, else a stand-in; whether it is one."""
    if not engine.has_image(PYTHON_IMAGE):
        try:
            engine.run("pull", PYTHON_IMAGE)
        except EngineError as error:
            print(f"{PYTHON_IMAGE} cannot be pulled here; a stand-in is made of Debian's packages", flush=True)
            make_base(engine, str(error))
    return is_stand_in(engine, PYTHON_IMAGE)


def is_stand_in(engine: Engine, image: str) -> bool:
    """Whether an image stands on a stand-in, or is one."""
    return engine.text("inspect", "--type", "image", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', image) == "yes"


def make_base(engine: Engine, why: str) -> None:
    """Import a small Debian with Python under the base image's name; EngineError when this machine cannot make one."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise EngineError(f"{PYTHON_IMAGE} is not here ({why}), and a stand-in needs root and debootstrap")
    with _debian() as tree:
        # The real image has it there, and pip of a build has to trust what this machine trusts.
        (tree / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        shutil.copyfile(_BUNDLE, tree / "etc/ssl/certs/ca-certificates.crt")
        for kept in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(tree / kept, ignore_errors=True)
        _import(engine, tree)


@contextmanager
def _debian() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bloom-base-"))
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EngineError(f"debootstrap failed: {(done.stderr or done.stdout).strip()[-500:]}")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _import(engine: Engine, tree: Path) -> None:
    with subprocess.Popen(["tar", "-C", str(tree), "-c", "."], stdout=subprocess.PIPE) as archive:
        importing = subprocess.run(
            [engine.program, "import", "--change", f"LABEL {LABEL}=yes", "-", PYTHON_IMAGE],
            env={**os.environ, **engine.environment},
            stdin=archive.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
    if importing.returncode != 0 or archive.returncode != 0:
        raise EngineError(f"the stand-in could not be imported: {importing.stderr.strip()}")
