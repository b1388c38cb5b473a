"""Every image as it is built: who runs it, how large it is, what is inside, how its processes start, say so, and end."""

import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from tests.images.containers import Containers, wanted

from images.building import reference, revision
from images.catalog import PYTHON_IMAGE, USER, Image
from images.engine import Engine
from images.sbom import bill_of_materials, written
from local_stack.paths import ROOT
from local_stack.process import wait_until

# A container is killed after 25 s by compose and by the chart; a process gives itself 20 s.
STOP_SECONDS, READY_SECONDS = 25, 120
COMPILERS = re.compile(r"/bin/(\w+-linux-gnu-)?(gcc|g\+\+|cc|c\+\+|cpp|clang|ld|as|make|cmake|rustc|cargo|go)(-\d+)?$")
INSTALLERS = re.compile(r"(/python3[^/]*/(site|dist)-packages/(pip|setuptools)/|/bin/pip[\d.]*$)")
CACHES = re.compile(
    r"^(root/\.cache/|home/|var/cache/apt/.+\.deb$|var/lib/apt/lists/.+_Packages|tmp/.)|/\.(pytest|mypy|ruff|hypothesis)_cache/"
)
TESTS = re.compile(r"^(app|packages)/(.*/)?(tests?|conftest\.py)(/|$)|^app/(.*/)?test_[^/]+\.py$")
SECRET_NAMES = re.compile(r"(^|/)(\.env|\.git|\.compose|\.local|id_(rsa|ed25519)|\.netrc|\.pypirc|.*\.(key|p12|pfx|kdbx))(/|$)")
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}")


@pytest.fixture(scope="module")
def files(engine: Engine) -> Iterator[dict[str, dict[str, bytes]]]:
    """By image and path, the files: the content of those of our own code and small configuration, nothing of the rest."""
    kept: dict[str, dict[str, bytes]] = {}
    yield kept
    kept.clear()


def inside(engine: Engine, image: Image, kept: dict[str, dict[str, bytes]]) -> dict[str, bytes]:
    if image.name not in kept:
        container = engine.text("create", reference(image))
        exported = subprocess.run([engine.program, "export", container], env=_env(engine), capture_output=True, check=True)
        engine.run("rm", container)
        with tarfile.open(fileobj=io.BytesIO(exported.stdout)) as archive:
            kept[image.name] = {
                member.name.removeprefix("./"): _content(archive, member) for member in archive if not member.isdir()
            }
    return kept[image.name]


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    is_ours = (
        member.isfile() and member.name.removeprefix("./").startswith(("app/", "packages/", "etc/")) and member.size < 1_000_000
    )
    opened = archive.extractfile(member) if is_ours else None
    return opened.read() if opened else b""


def _env(engine: Engine) -> dict[str, str]:
    return {**os.environ, **engine.environment}


def config(engine: Engine, image: Image) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(engine.text("inspect", "--type", "image", "--format", "{{json .Config}}", reference(image)))
    return told


@pytest.mark.promise("PL13")
def test_an_image_runs_as_a_number_that_is_not_root_and_says_what_it_is(engine: Engine, each: Image) -> None:
    told = config(engine, each)
    assert told["User"] == f"{USER}:{USER}"
    assert told["Entrypoint"] == list(each.entrypoint)
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in told["Labels"].items()}
    assert (labels["title"], labels["revision"], labels["base.name"]) == (each.tag, revision(), PYTHON_IMAGE)
    who = engine.text("run", "--rm", "--network", "none", "--entrypoint", "id", reference(each))
    assert f"uid={USER}(bloom) gid={USER}(bloom)" in who


def test_an_image_is_no_larger_than_it_may_be(engine: Engine, each: Image) -> None:
    size, base = (
        int(engine.text("inspect", "--type", "image", "--format", "{{.Size}}", name)) for name in (reference(each), PYTHON_IMAGE)
    )
    assert size - base <= each.limit_bytes


def test_nothing_that_builds_installs_or_tests_is_inside(engine: Engine, each: Image, files: dict[str, dict[str, bytes]]) -> None:
    paths = list(inside(engine, each, files))
    assert len(paths) > 1_000
    for unwanted in (COMPILERS, INSTALLERS, CACHES, TESTS):
        assert [path for path in paths if unwanted.search(path)] == []


def test_no_secret_is_inside_nor_in_the_images_history(engine: Engine, each: Image, files: dict[str, dict[str, bytes]]) -> None:
    held = inside(engine, each, files)
    assert [path for path in held if SECRET_NAMES.search(path) and not path.startswith(("usr/", "etc/"))] == []
    assert [path for path, content in held.items() if PRIVATE_KEY.search(content)] == []
    names = [entry.partition("=")[0] for entry in config(engine, each)["Env"]]
    assert [name for name in names if re.search(r"PASSWORD|SECRET|TOKEN|_KEY$|_URL$", name)] == []


def test_nobody_but_root_could_change_what_is_inside(engine: Engine, each: Image) -> None:
    program = "import os; print([p for top in ('/app', '/packages') for p, _, _ in os.walk(top) if os.access(p, os.W_OK)])"
    assert engine.text("run", "--rm", "--network", "none", "--entrypoint", "python", reference(each), "-c", program) == "[]"


def test_the_bill_of_materials_inside_is_that_of_the_lock_and_names_exactly_what_is_installed(
    engine: Engine, each: Image
) -> None:
    told = engine.text("run", "--rm", "--network", "none", "--entrypoint", "cat", reference(each), "/usr/share/sbom/bom.cdx.json")
    assert told + "\n" == written(bill_of_materials(each.tag, (ROOT / each.lock).read_text()))
    program = (
        "import importlib.metadata as m, json, re; "
        "print(json.dumps(sorted({(re.sub(r'[-_.]+', '-', d.metadata['Name']).lower(), d.version) for d in m.distributions(path="
        "['/packages/lib/python3.11/site-packages'])})))"
    )
    installed = engine.text("run", "--rm", "--network", "none", "--entrypoint", "python", reference(each), "-c", program)
    assert json.loads(installed) == sorted([part["name"], part["version"]] for part in json.loads(told)["components"])


def test_a_process_starts_read_only_becomes_healthy_and_ends_by_itself_when_it_is_told_to(
    containers: Containers, service: Image, process: str, migrated: set[str]
) -> None:
    migrate(containers, service, migrated)
    container = containers.start(service, process, environment=containers.of(service.name, process))
    try:
        assert wait_until(lambda: settled(containers, container), READY_SECONDS, pause=0.5), containers.logs(container)
        assert containers.state(container, "Health.Status") == "healthy", containers.logs(container)
        containers.engine.run("kill", "--signal", "TERM", container)
        assert wait_until(lambda: containers.state(container, "Running") == "false", STOP_SECONDS), containers.logs(container)
        assert containers.state(container, "ExitCode") == "0", containers.logs(container)
    finally:
        containers.remove(container)


def test_a_process_without_its_settings_refuses_to_start_and_prints_no_value(containers: Containers) -> None:
    for image in wanted():
        if image.commands:
            environment = {
                name: value for name, value in containers.of(image.name, "api").items() if not name.endswith("_DATABASE_URL")
            }
            container = containers.start(image, environment=environment)
            assert wait_until(lambda made=container: containers.state(made, "Running") == "false", READY_SECONDS)
            assert containers.state(container, "ExitCode") != "0"
            assert not [
                value
                for name, value in environment.items()
                if re.search("KEY$|TOKEN$|VALKEY_URL$", name) and value in containers.logs(container)
            ]


def test_the_gateway_starts_read_only_becomes_healthy_and_ends_when_it_is_told_to(containers: Containers) -> None:
    for image in (each for each in wanted() if each.name == "gateway"):
        container = containers.start(image, environment={}, network="none")
        assert wait_until(lambda: settled(containers, container), READY_SECONDS, pause=0.5), containers.logs(container)  # noqa: B023  # it is asked within the round
        assert containers.state(container, "Health.Status") == "healthy", containers.logs(container)
        containers.engine.run("kill", "--signal", "TERM", container)
        assert wait_until(lambda: containers.state(container, "Running") == "false", STOP_SECONDS)  # noqa: B023  # the same
        assert containers.state(container, "ExitCode") == "0", containers.logs(container)


@pytest.fixture(scope="module")
def migrated() -> set[str]:
    """The services whose database was migrated by their image."""
    return set()


def migrate(containers: Containers, service: Image, done: set[str]) -> None:
    """Bring the service's database up to date with its own image, once."""
    if service.name in done:
        return
    container = containers.start(service, "migrate", environment=containers.of(service.name, "migrate"))
    assert wait_until(lambda: containers.state(container, "Running") == "false", READY_SECONDS, pause=0.2)
    assert containers.state(container, "ExitCode") == "0", containers.logs(container)
    containers.remove(container)
    done.add(service.name)


def settled(containers: Containers, container: str) -> bool:
    """Whether the container is healthy, or over."""
    return containers.state(container, "Health.Status") == "healthy" or containers.state(container, "Running") == "false"
