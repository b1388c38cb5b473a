"""The chart rendered once per installation, by Helm itself."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_stack.own_settings import new_service_key
from local_stack.paths import ROOT
from local_stack.secret_files import new_key, new_vapid_key

CHART = ROOT / "deploy" / "helm" / "bloom"
INSTALLATIONS: Mapping[str, tuple[str, ...]] = {
    "dev": ("dev",),
    "qa": ("qa",),
    "production": ("production",),
    "cell-us": ("production", "cell-us"),
    "cell-eu": ("production", "cell-eu"),
}
HELM = shutil.which("helm", path=str(Path(sys.executable).parent))
Objects = list[dict[str, Any]]


def run_helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    assert HELM is not None
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=60)


def facts() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHART / "files" / "platform.yaml").read_text())
    return loaded


@cache
def developers_secrets() -> str:
    """What a developer would give: a value of the right shape for every secret that the chart may ask for."""
    keys = {"MASTER_KEY": new_key(), "LAKE_KEY": new_key(), "SERVICE_KEY": new_service_key(), "PUSH_KEY": new_vapid_key()}
    values = {
        service: {
            name: keys.get(name, "postgresql://role@postgres:5432/bloom" if "DATABASE" in name else "redis://valkey:6379/0")
            for name in [*each["secrets"], *each["furtherSecrets"], "MIGRATION_DATABASE_URL", "RELAY_DATABASE_URL"]
        }
        for service, each in facts()["services"].items()
    }
    return json.dumps({"secrets": {"values": values}})


def values_of(installation: str, folder: Path) -> list[str]:
    """The arguments of Helm that name an installation's values, all of them."""
    arguments = [f"--values={CHART / f'values-{name}.yaml'}" for name in INSTALLATIONS[installation]]
    if installation == "dev":
        secrets = folder / "secrets.json"
        secrets.write_text(developers_secrets())
        arguments.append(f"--values={secrets}")
    return arguments


@pytest.fixture(scope="session")
def values_by_name(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    folder = tmp_path_factory.mktemp("values")
    return lambda installation: values_of(installation, folder)


@pytest.fixture(scope="session")
def helm() -> "Callable[..., subprocess.CompletedProcess[str]]":
    """Runs Helm's `lint` or `template` on the chart."""

    def run(command: str, *further: str) -> "subprocess.CompletedProcess[str]":
        name = ["bloom"] if command == "template" else []
        return run_helm(command, *name, str(CHART), "--namespace=bloom", *further)

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[..., Any], values_by_name: Callable[[str], list[str]]) -> Callable[..., Objects]:
    """Renders an installation, with further arguments of Helm."""

    @cache
    def rendered(installation: str, *further: str) -> Objects:
        done = helm("template", *values_by_name(installation), *further)
        assert done.returncode == 0, done.stderr
        return [each for each in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if each]

    return rendered


@pytest.fixture(params=INSTALLATIONS)
def installation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def values(values_by_name: Callable[[str], list[str]], installation: str) -> list[str]:
    return values_by_name(installation)


@pytest.fixture
def objects(render: Callable[..., Objects], installation: str) -> Objects:
    return render(installation)


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(scope="session")
def platform() -> dict[str, Any]:
    """What the chart knows about the system."""
    return facts()
