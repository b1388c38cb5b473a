"""The workflows run what everybody can run: make targets, on a machine as the README asks for, with as few rights as will do."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from images.environments import ORDER
from tools.go_tools import go_tool, packages
from tools.steps import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MACHINE = ROOT / ".github/actions/machine/action.yml"
EVERY = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def loaded(path: Path) -> Mapping[str, Any]:
    # YAML takes the key `on` for a truth value.
    whole: Mapping[str, Any] = yaml.safe_load(path.read_text().replace("\non:\n", "\n'on':\n"))
    return whole


def steps(path: Path) -> Iterator[Mapping[str, Any]]:
    """Every step of every job."""
    for job in loaded(path)["jobs"].values():
        yield from job.get("steps", ())


@pytest.fixture(scope="module")
def actionlint() -> Path:
    program = go_tool("actionlint")
    if program is None:
        pytest.skip("Go is not installed, by which actionlint is built")
    return program


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    done = subprocess.run([actionlint, *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_actionlint_finds_a_planted_fault(actionlint: Path, tmp_path: Path) -> None:
    planted = tmp_path / "verify.yml"
    planted.write_text((ROOT / ".github/workflows/verify.yml").read_text().replace("github.ref }}", "github.rfe }}"))
    done = subprocess.run([actionlint, planted], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rfe" in done.stdout


@EVERY
def test_every_command_is_a_make_target_that_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for step in steps(path):
        if "run" in step:
            found = re.fullmatch(r"make ([a-z-]+)( [A-Z]+=\S+)*", step["run"])
            assert found is not None, step["run"]
            assert found[1] in targets


@EVERY
def test_actions_are_the_repositorys_own_or_githubs_by_major_version(path: Path) -> None:
    used = [step["uses"] for source in (path, MACHINE) for step in _uses(source)]
    assert used
    for each in used:
        assert each.startswith("./") or re.fullmatch(r"actions/[\w-]+@v\d+", each), each


@EVERY
def test_a_workflow_may_read_the_code_and_a_job_asks_for_what_else_it_needs(path: Path) -> None:
    whole = loaded(path)
    assert whole["permissions"] == {"contents": "read"}
    for name, job in whole["jobs"].items():
        runs = " ".join(step.get("run", "") for step in job.get("steps", ()))
        writes = {right for right, level in job.get("permissions", {}).items() if level == "write"}
        wanted = {"packages"} if "make publish" in runs else set()
        wanted |= {"contents"} if re.search(r"make (promote|retire)", runs) and path.stem != "environment" else set()
        # What calls a workflow gives it its rights.
        wanted |= {"contents"} if str(job.get("with", {}).get("from", "")) else set()
        assert writes == wanted, name


@EVERY
def test_every_job_ends_by_itself(path: Path) -> None:
    for name, job in loaded(path)["jobs"].items():
        assert "timeout-minutes" in job or "uses" in job, name


def test_secrets_reach_the_steps_that_need_them_and_no_others() -> None:
    for path in WORKFLOWS:
        assert path.read_text().count("secrets.") == sum("secrets." in str(step.get("env", "")) for step in steps(path))


@pytest.mark.promise("CI1")
def test_what_is_published_was_checked_tested_and_built_first() -> None:
    verify, deliver = loaded(ROOT / ".github/workflows/verify.yml"), loaded(ROOT / ".github/workflows/deliver.yml")
    runs = [step["run"] for job in verify["jobs"].values() for step in job["steps"] if "run" in step]
    assert {"make check", "make test", "make test-upgrade", "make images", "make test-images", "make sbom"} <= set(runs)
    assert deliver["on"] == {"push": {"branches": ["main"]}}
    assert deliver["jobs"]["publish"]["needs"] == "verify"
    assert deliver["jobs"]["verify"]["uses"] == "./.github/workflows/verify.yml"
    (smoke,) = [step for step in steps(ROOT / ".github/workflows/environment.yml") if step.get("run") == "make smoke"]
    assert smoke["env"] == {"URL": "${{ vars.BLOOM_URL }}"}


@pytest.mark.promise("CI2")
def test_environments_follow_each_other_and_a_pull_request_has_one_of_its_own() -> None:
    jobs = loaded(ROOT / ".github/workflows/deliver.yml")["jobs"]
    for before, environment in pairwise(ORDER):
        assert jobs[environment]["needs"] == before
        assert jobs[environment]["with"] == {"environment": environment, "from": before}
    preview = loaded(ROOT / ".github/workflows/preview.yml")
    assert set(preview["on"]["pull_request"]["types"]) == {"opened", "synchronize", "reopened", "closed"}
    assert all("head.repo.full_name == github.repository" in job["if"] for job in preview["jobs"].values())


def test_the_machine_of_the_workflows_has_what_the_readme_asks_for() -> None:
    versions = {step["uses"].split("@")[0]: step.get("with", {}) for step in _uses(MACHINE)}
    assert versions["actions/setup-python"]["python-version"] == "3.11"
    assert int(versions["actions/setup-java"]["java-version"]) >= 17
    assert int(versions["actions/setup-node"]["node-version"]) >= 18
    assert versions["actions/setup-go"]["go-version-file"] == "tools/go/go.mod"


def test_the_go_programs_of_checks_are_pinned_in_one_module() -> None:
    assert set(packages()) == {"actionlint", "kubeconform", "promtool", "tflint"}


def _uses(path: Path) -> Iterator[Mapping[str, Any]]:
    whole = loaded(path)
    jobs = whole["jobs"].values() if "jobs" in whole else [whole["runs"]]
    yield from ({"uses": job["uses"]} for job in jobs if "uses" in job)
    yield from (step for job in jobs for step in job.get("steps", ()) if "uses" in step)
