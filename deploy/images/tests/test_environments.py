"""Environments take over by digest, one after the other, and what runs where is a branch of its own."""

import subprocess
from pathlib import Path

import pytest
import yaml

from images.environments import BRANCH, PromotionError, promote, publish_to, published_images, retire

FIRST = {"auth": f"registry.test/bloom/auth@sha256:{'1' * 64}"}
SECOND = {"auth": f"registry.test/bloom/auth@sha256:{'2' * 64}"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone with one commit of code, and the remote that it pushes to."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    for command in (
        ["git", "init", "-q", "--bare", str(remote)],
        ["git", "clone", "-q", str(remote), str(clone)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    (clone / "code.py").write_text("print(1)\n")
    git(clone, "add", "code.py")
    git(clone, "-c", "user.name=x", "-c", "user.email=x@example.test", "commit", "-qm", "code")
    return clone


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def running(repository: Path) -> dict[str, dict[str, str]]:
    """By environment, what the remote's branch says that it runs."""
    git(repository, "fetch", "-q", "origin", BRANCH)
    names = git(repository, "ls-tree", "-r", "--name-only", "FETCH_HEAD").split()
    return {
        name.partition("/")[0]: yaml.safe_load(git(repository, "show", f"FETCH_HEAD:{name}"))["images"]
        for name in names
        if name.endswith("images.yaml")
    }


@pytest.mark.promise("CI2")
def test_the_same_digests_go_from_one_environment_to_the_next(repository: Path) -> None:
    assert publish_to(repository, "dev", FIRST)
    assert promote(repository, "dev", "qa")
    assert publish_to(repository, "dev", SECOND)
    assert promote(repository, "qa", "production")
    assert running(repository) == {"dev": SECOND, "qa": FIRST, "production": FIRST}


def test_the_branch_holds_no_code_and_the_clone_is_left_as_it_was(repository: Path) -> None:
    publish_to(repository, "dev", FIRST)
    git(repository, "fetch", "-q", "origin", BRANCH)
    assert git(repository, "ls-tree", "-r", "--name-only", "FETCH_HEAD").split() == ["dev/images.yaml"]
    assert git(repository, "status", "--porcelain") == ""
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_taking_over_the_same_once_more_changes_nothing(repository: Path) -> None:
    publish_to(repository, "dev", FIRST)
    assert not publish_to(repository, "dev", FIRST)


def test_a_preview_comes_and_goes_and_nothing_else_can_be_removed(repository: Path) -> None:
    publish_to(repository, "dev", FIRST)
    publish_to(repository, "preview-12", SECOND)
    assert set(running(repository)) == {"dev", "preview-12"}
    assert retire(repository, "preview-12")
    assert not retire(repository, "preview-12")
    assert set(running(repository)) == {"dev"}
    with pytest.raises(PromotionError, match="dev is no preview"):
        retire(repository, "dev")


@pytest.mark.parametrize(
    ("origin", "to"), [("dev", "production"), ("", "qa"), ("qa", "dev"), ("dev", "mars"), ("dev", "preview-1")]
)
def test_no_environment_is_skipped_or_taken_backwards(repository: Path, origin: str, to: str) -> None:
    publish_to(repository, "dev", FIRST)
    with pytest.raises(PromotionError):
        promote(repository, origin, to)


def test_production_takes_no_image_that_was_just_published(repository: Path) -> None:
    with pytest.raises(PromotionError, match="takes over what qa runs"):
        publish_to(repository, "production", FIRST)


@pytest.mark.parametrize("images", [{}, {"auth": "registry.test/bloom/auth:latest"}])
def test_what_is_not_named_by_digest_is_refused(repository: Path, images: dict[str, str]) -> None:
    with pytest.raises(PromotionError, match="not by digest"):
        publish_to(repository, "dev", images)


def test_an_environment_that_runs_nothing_has_nothing_to_give(repository: Path, tmp_path: Path) -> None:
    publish_to(repository, "dev", FIRST)
    with pytest.raises(PromotionError, match="qa runs nothing yet"):
        promote(repository, "qa", "production")
    with pytest.raises(PromotionError, match="nothing was published"):
        published_images(tmp_path / "published.json")
