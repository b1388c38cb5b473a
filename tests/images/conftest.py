"""The images, built by an engine of this machine, and the servers that their processes talk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.images.containers import Containers, wanted

from images.building import build_images
from images.engine import Engine, EngineError, open_engine
from local_stack.plan import run
from local_stack.ports import all_free_ports
from local_stack.stack import Stack


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine that runs containers, with the images built; without one there is nothing to try, which is a failure here."""
    try:
        with open_engine() as opened:
            if opened.name == "buildah":
                pytest.exit("test-images: buildah runs no containers; say ENGINE=docker or ENGINE=podman", returncode=1)
            build_images(opened, wanted())
            yield opened
    except EngineError as error:
        pytest.exit(f"test-images: {error}", returncode=1)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The servers of the local stack with databases and topics; no service runs on this machine itself."""
    stack = Stack(tmp_path_factory.mktemp("servers"), ports=all_free_ports(), environment="test", guarded=True)
    names = {component.name for component in stack.servers.all()} | {"topics"}
    try:
        run([step for step in stack.steps() if step.name in names], lambda _: None, stack.kill)
        for service in {each.name for each in wanted()} & set(stack.surroundings.databases) | {"auth"}:
            stack.postgres.create_service_database(service)
        # Its owner is this user, its reader another one; in a cluster a secret's volume sees to that.
        Path(stack.secrets / "messaging-key-encryption-keys").chmod(0o644)
        stack.secrets.chmod(0o711)
        yield stack
    finally:
        stack.kill()


@pytest.fixture(scope="session")
def containers(engine: Engine, servers: Stack) -> Iterator[Containers]:
    """What starts containers; the database of every service is migrated by its own image."""
    made = Containers(engine, servers)
    yield made
    for container in made.started:
        made.remove(container)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of an image is run for each image, and one of a process for each process of a service."""
    if "each" in metafunc.fixturenames:
        metafunc.parametrize("each", wanted(), ids=lambda image: image.name)
    if "process" in metafunc.fixturenames:
        pairs = [(each, process) for each in wanted() for process in each.commands if process != "migrate"]
        metafunc.parametrize(("service", "process"), pairs, ids=[f"{each.name}-{process}" for each, process in pairs])
