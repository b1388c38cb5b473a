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
def render(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Objects]:
    """Renders an installation, with further arguments of Helm."""
    folder = tmp_path_factory.mktemp("helm")

    @cache
    def rendered(installation: str, *further: str) -> Objects:
        done = run_helm("template", "bloom", str(CHART), "--namespace=bloom", *values_of(installation, folder), *further)
        assert done.returncode == 0, done.stderr
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    return rendered


@pytest.fixture(params=INSTALLATIONS)
def installation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def objects(render: Callable[..., Objects], installation: str) -> Objects:
    return render(installation)
