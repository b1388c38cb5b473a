"""What images are built from fits the code: packages cover its imports, commands are those of the local stack."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml

from images.catalog import PYTHON_IMAGE, USER, Image, declared_packages, image, images
from images.dockerfiles import dockerfile
from images.sbom import locked_packages
from local_stack.names import import_name
from local_stack.paths import ROOT
from local_stack.services import SERVICES

EVERY = pytest.mark.parametrize("each", images(), ids=lambda each: each.name)
# What compose starts of the local stack; the rest of that folder runs on a developer's machine alone.
SETUP_RUNS = ("compose_setup", "mail_server", "provider_server")
# What service-kit offers to workers alone, and to who keeps files in a cloud; a service that does neither asks for no such extra.
WORKERS_ONLY = {"faust"}
FILES_ONLY = {"boto3", "botocore"}


@cache
def imported(path: Path) -> frozenset[str]:
    """The modules that a file imports, wherever in it; kept, because every image has the libraries' files."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return frozenset(
        plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level and node.module}
    )


@cache
def providers() -> Mapping[str, list[str]]:
    """By module, the installed packages that have it."""
    return importlib.metadata.packages_distributions()


def code(image: Image) -> set[Path]:
    """The files of an image's code that its processes can come to."""
    if image.name != "setup":
        return {path for source in image.sources for path in (ROOT / source).rglob("*.py")}
    found: set[Path] = set()
    waiting = [f"local_stack.{name}" for name in SETUP_RUNS]
    while waiting:
        parts = waiting.pop().split(".")
        paths = {ROOT / source / Path(*parts).with_suffix(".py") for source in image.sources}
        for path in {path for path in paths if path.is_file()} - found:
            found.add(path)
            waiting += imported(path)
    return found


def uses_files(image: Image) -> bool:
    """Whether the service's own code opens a store of files or speaks with S3 itself."""
    own = {name for path in (ROOT / "services" / image.name / "src").rglob("*.py") for name in imported(path)}
    return any(name.startswith("service_kit.object_store") or name.partition(".")[0] == "boto3" for name in own)


@EVERY
def test_every_import_of_an_images_code_is_provided_by_a_package_that_is_locked_for_it(each: Image) -> None:
    locked = {package.name for package in locked_packages((ROOT / each.lock).read_text())}
    own = {path.name for source in each.sources for path in (ROOT / source).iterdir()}
    missing = set()
    for module in {name.partition(".")[0] for path in code(each) for name in imported(path)}:
        known = {re.sub(r"[-_.]+", "-", name).lower() for name in providers().get(module, ())}
        if module not in own and module not in sys.stdlib_module_names and not known & locked:
            missing.add(module)
    without_worker = WORKERS_ONLY if each.name in SERVICES and "worker" not in each.commands else set()
    without_files = FILES_ONLY if each.name in SERVICES and not uses_files(each) else set()
    assert missing == without_worker | without_files


@pytest.mark.promise("PL13")
@EVERY
def test_each_image_is_built_in_two_stages_and_runs_as_a_number_without_what_built_it(each: Image) -> None:
    text = (ROOT / each.dockerfile).read_text()
    assert text == dockerfile(each)
    packages, last = text.split("\nFROM ")[1:]
    assert packages.startswith(f"{PYTHON_IMAGE} AS packages")
    assert packages.count("--require-hashes") == packages.count("install ") == 2
    assert "install" not in last.replace("installs", "").replace("installing", "")
    assert f"\nUSER {USER}:{USER}\n" in last
    assert re.findall(r"COPY (?!--from=packages)", last) == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_processes_of_an_image_are_those_of_the_local_stack(service: str) -> None:
    made = image(service)
    assert made.commands == (*SERVICES[service], "migrate")
    assert made.entrypoint == ("python", "-m", import_name(service))
    assert [source for source in made.sources if source.startswith("services/")] == [f"services/{service}/src"]


def test_the_model_runtime_is_in_the_image_that_scores_and_in_no_other() -> None:
    holders = {each.name for each in images() if re.search(r"^onnxruntime==", (ROOT / each.lock).read_text(), re.MULTILINE)}
    assert holders == {"ml-scoring"}


def test_large_readers_of_files_that_tests_and_analysts_use_are_in_no_image() -> None:
    assert not [
        each.name for each in images() if re.search(r"^(pyarrow|duckdb|pandas)==", (ROOT / each.lock).read_text(), re.MULTILINE)
    ]


def test_versions_in_images_are_those_that_the_tests_run_on() -> None:
    tested = {package.name: package.version for package in locked_packages((ROOT / "requirements" / "dev.txt").read_text())}
    for each in images():
        for package in locked_packages((ROOT / each.lock).read_text()):
            assert tested.get(package.name, package.version) == package.version, (each.name, package.name)


def test_a_service_declares_what_its_libraries_need_too_and_the_workers_extra_only_with_a_worker() -> None:
    assert "uvloop" in declared_packages("auth")
    assert "faust-streaming" not in declared_packages("auth")
    assert "faust-streaming" in declared_packages("billing")


@pytest.mark.parametrize("name", ["mars", ""])
def test_an_image_that_does_not_exist_is_refused_by_the_names_of_those_that_do(name: str) -> None:
    with pytest.raises(ValueError, match="there are auth, appointments"):
        image(name)


def test_hadolint_finds_a_planted_fault(tmp_path: Path) -> None:
    planted = tmp_path / "Dockerfile"
    planted.write_text(dockerfile(image("auth")).replace(PYTHON_IMAGE, "python:latest"))
    done = subprocess.run([Path(sys.executable).with_name("hadolint"), planted], capture_output=True, text=True, check=False)
    assert "DL3007" in done.stdout


def test_only_what_an_image_copies_is_sent_to_the_engine_and_no_star_hides_it_from_the_older_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()[1:]
    assert (lines[0], lines[-1]) == ("*", "**/__pycache__")
    kept = {line.removeprefix("!") for line in lines[1:-1]}
    assert [path for path in kept if "*" in path or not (ROOT / path).exists()] == []
    copied = {
        path for each in images() for path in re.findall(r"^COPY ((?!--from).+) /", (ROOT / each.dockerfile).read_text(), re.M)
    }
    assert {path for paths in copied for path in paths.split()} == kept


def test_compose_builds_the_images_of_the_catalogue_and_no_others() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert {part["build"]["dockerfile"] for part in compose.values() if "build" in part} == {each.dockerfile for each in images()}
