"""A service as it was before its newest migration: which commit that is, its tree with the migrations of now, its tests."""

import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from local_stack.names import import_name
from local_stack.paths import ROOT, cache_folder, migrations_folder
from tools.steps import python

# Everything that a service's own tests stand on.
_NEEDED = ("libs", "deploy/local", "pyproject.toml")
_LIMIT_SECONDS = 1_800


class CannotTell(Exception):  # noqa: N818  # named for what is found
    """The history that would say what was there before is not here."""


@dataclass(frozen=True)
class Before:
    """A service at a commit, and the migrations of now that it has never heard of."""

    service: str
    commit: str
    lacks: tuple[str, ...]


def before(service: str, release: str | None) -> Before | None:
    """What ran before: the service at the release, or just before its newest migration; None where no migration is new to it."""
    if _git("rev-parse", "--is-shallow-repository") == "true":
        raise CannotTell("this checkout has no history: fetch it (git fetch --unshallow)")
    newest = sorted(migrations_folder(service).glob("*.sql"))[-1]
    commit = _git("rev-parse", f"{release}^{{commit}}") if release else _parent_of_arrival(newest)
    known = _names_at(commit, service) if commit else frozenset()
    lacks = tuple(path.name for path in sorted(migrations_folder(service).glob("*.sql")) if path.name not in known)
    # A service that was not there yet has nothing to be broken.
    return Before(service, commit, lacks) if known and lacks else None


def copied(one: Before, place: Path) -> Path:
    """The tree of then below `place`, with the service's migrations of now."""
    own = f"services/{one.service}"
    archive = subprocess.run(["git", "archive", one.commit, own, *_NEEDED], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(place, filter="data")
    shutil.rmtree(place / own / "migrations")
    shutil.copytree(migrations_folder(one.service), place / own / "migrations")
    return place


def run_tests(one: Before, tree: Path, *, quick: bool) -> bool:
    """Whether the service's tests of then pass; `quick` ends with the first failure. Their code is that of the tree alone."""
    sources = ("libs/events/src", "libs/service-kit/src", "deploy/local/src", f"services/{one.service}/src")
    environment = {
        **os.environ,
        # Before what is installed, which is the code of now.
        "PYTHONPATH": os.pathsep.join(str(tree / source) for source in sources),
        "BLOOM_CACHE": str(cache_folder()),
    }
    _is_the_tree_of_then(one, tree, environment)
    command = python("-m", "pytest", "-q", f"services/{one.service}/tests/integration", *(["-x", "--no-header"] if quick else []))
    return subprocess.run(command, cwd=tree, env=environment, timeout=_LIMIT_SECONDS, check=False).returncode == 0


def _is_the_tree_of_then(one: Before, tree: Path, environment: dict[str, str]) -> None:
    script = f"import {import_name(one.service)} as code, service_kit as kit; print(code.__file__, kit.__file__)"
    done = subprocess.run(python("-c", script), cwd=tree, env=environment, capture_output=True, text=True, check=True)
    if not all(path.startswith(str(tree)) for path in done.stdout.split()):
        raise CannotTell(f"the code that would run is not that of then: {done.stdout}")


def _parent_of_arrival(migration: Path) -> str:
    """The commit before the one that brought the file; empty when there is none, or the file is not committed yet."""
    name = str(migration.relative_to(ROOT))
    arrived = _git("log", "--diff-filter=A", "--format=%H %P", "-1", "--", name)
    return arrived.split()[1] if len(arrived.split()) > 1 else _git("rev-parse", "HEAD") if not arrived else ""


def _names_at(commit: str, service: str) -> frozenset[str]:
    listed = _git("ls-tree", "--name-only", commit, f"services/{service}/migrations/")
    return frozenset(Path(line).name for line in listed.splitlines())


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
