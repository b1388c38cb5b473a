"""Programs of npm that tests need, installed from their locks into the cache, once for all checkouts that share it."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local_stack.errors import StackError
from local_stack.paths import ROOT, cache_folder


def install_npm_packages(name: str, *, then: Sequence[str] = (), also: Sequence[str] = ()) -> Path:
    """The folder in which the packages of `tests/<name>` are installed, which is done unless they are there.

    `then` is a command that is run there afterwards, for which TMPDIR is a folder that stays; `also` names files that it needs.
    Raises StackError without node, npm or a registry.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise StackError(name, f"{program} is missing: tests that use packages of npm need node 20 or newer with npm")
    source, names = ROOT / "tests" / name, ("package.json", "package-lock.json", ".npmrc", *also)
    digest = hashlib.sha256(b"".join((source / each).read_bytes() for each in names)).hexdigest()[:16]
    folder = cache_folder() / name / digest
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Checkouts that share a cache may ask at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            for each in names:
                shutil.copy(source / each, folder / each)
            _run(name, folder, ["npm", "ci"])
            if then:
                _run(name, folder, then)
            (folder / "done").touch()
    return folder


def _run(name: str, folder: Path, command: Sequence[str]) -> None:
    kept = folder / "unpacked"
    kept.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(kept)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    log = folder / "npm.log"
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise StackError(name, f"{' '.join(command)} failed", log)
