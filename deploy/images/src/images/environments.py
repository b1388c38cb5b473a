"""What runs where: a file of images by digest for each environment, on a branch that Argo CD follows.

Promotion copies the very digests that another environment runs; nothing is built anew. The branch holds nothing else, so that a
deployment never is a commit to the code, and its history says who deployed what and when.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

BRANCH = "environments"
# In this order; each takes over what the one before it runs.
ORDER = ("dev", "qa", "production")
_PREVIEW = re.compile(r"preview-[1-9]\d{0,5}")
_BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


class PromotionError(Exception):
    """An environment may not or cannot take this over; `str()` says why."""


def publish_to(repository: Path, environment: str, images: Mapping[str, str]) -> bool:
    """Have an environment run these images; whether that changed anything. Only the first one and previews take new images."""
    if environment != ORDER[0] and not _PREVIEW.fullmatch(environment):
        raise PromotionError(f"{environment} takes over what {_before(environment)} runs, and nothing else")
    return _write(repository, environment, images, f"{environment} runs what was published")


def promote(repository: Path, origin: str, environment: str) -> bool:
    """Have an environment run what the one before it runs; whether that changed anything."""
    if origin != _before(environment):
        raise PromotionError(f"{environment} takes over what {_before(environment)} runs, not {origin or 'nothing'}")
    with _branch(repository) as tree:
        source = tree / origin / "images.yaml"
        if not source.exists():
            raise PromotionError(f"{origin} runs nothing yet")
        images = yaml.safe_load(source.read_text())["images"]
    return _write(repository, environment, images, f"{environment} takes over from {origin}")


def retire(repository: Path, environment: str) -> bool:
    """Remove a preview; whether there was one. Other environments stay whatever is asked."""
    if not _PREVIEW.fullmatch(environment):
        raise PromotionError(f"{environment} is no preview")
    with _branch(repository) as tree:
        file = tree / environment / "images.yaml"
        if not file.exists():
            return False
        file.unlink()
        return _push(tree, f"{environment} is removed")


def published_images(file: Path) -> dict[str, str]:
    """What was published last; PromotionError when nothing was."""
    if not file.exists():
        raise PromotionError("nothing was published here: run make publish first")
    found: dict[str, str] = json.loads(file.read_text())
    return found


def _before(environment: str) -> str:
    if environment not in ORDER[1:]:
        raise PromotionError(f"no environment {environment}; there are {', '.join(ORDER)} and preview-<number>")
    return ORDER[ORDER.index(environment) - 1]


def _write(repository: Path, environment: str, images: Mapping[str, str], message: str) -> bool:
    loose = sorted(address for address in images.values() if not _BY_DIGEST.fullmatch(address))
    if loose or not images:
        raise PromotionError(f"not by digest: {', '.join(loose) or 'nothing at all'}")
    with _branch(repository) as tree:
        file = tree / environment / "images.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({"images": dict(images)}))
        return _push(tree, message)


@contextmanager
def _branch(repository: Path) -> Iterator[Path]:
    """A working tree of the branch as it is at the remote, an empty one where it is not there yet."""
    with tempfile.TemporaryDirectory(prefix="bloom-environments-") as folder:
        tree = Path(folder) / "tree"
        is_there = bool(_git(repository, "ls-remote", "--heads", "origin", BRANCH))
        if is_there:
            _git(repository, "fetch", "--quiet", "--depth=1", "origin", BRANCH)
        _git(repository, "worktree", "add", "--quiet", "--detach", str(tree), "FETCH_HEAD" if is_there else "HEAD")
        try:
            if not is_there:
                _git(tree, "checkout", "--quiet", "--orphan", f"new-{Path(folder).name}")
                _git(tree, "rm", "-rq", "--cached", ".")
                _git(tree, "clean", "-fdxq")
            yield tree
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree))


def _push(tree: Path, message: str) -> bool:
    _git(tree, "add", "--all")
    if not _git(tree, "status", "--porcelain"):
        return False
    author = ("-c", "user.name=bloom delivery", "-c", "user.email=delivery@bloom.invalid")
    _git(tree, *author, "commit", "--quiet", "--message", message)
    _git(tree, "push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}")
    return True


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PromotionError(f"git {arguments[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()
