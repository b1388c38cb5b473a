"""`python -m tests.cluster [name ..]`: the chart on a real API server, for every file of values, from installing to removing."""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.api import Api, Broken, wait_for
from tests.cluster.control_plane import control_plane
from tests.cluster.programs import CannotBuild, built, definitions
from tests.cluster.story import CHART, Story

from local_stack.paths import ROOT

INSTALLATIONS = {
    "dev": ("dev",),
    "qa": ("qa",),
    "production": ("production",),
    "cell-us": ("production", "cell-us"),
    "cell-eu": ("production", "cell-eu"),
}


def main(names: list[str]) -> int:
    """Run the stories of these installations, of all without a name; 1 when one does not hold or nothing can be built."""
    started = time.monotonic()
    try:
        programs = built()
        with tempfile.TemporaryDirectory(prefix="bloom-cluster-") as place, control_plane(programs, Path(place)) as cluster:
            tell(f"the control plane is up ({time.monotonic() - started:.1f} s)")
            tell(f"{install_definitions(cluster.api)} CRDs established")
            tell(f"{admit_environments(cluster.api)} objects of Argo CD fit their schemas")
            for name in names or INSTALLATIONS:
                Story(cluster, name, values_of(name, Path(place)), tell).run()
    except (Broken, CannotBuild) as trouble:
        print(f"cluster: {trouble}", file=sys.stderr)
        return 1
    tell(f"all stories hold, in {time.monotonic() - started:.0f} s")
    return 0


def tell(line: str) -> None:
    """One line of progress, at once."""
    print(line, flush=True)


def install_definitions(api: Api) -> int:
    """Give the server the operators' CRDs and wait until it holds objects to them."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    made = [api.create(path, definition)["metadata"]["name"] for definition in definitions()]
    wait_for("the CRDs are established", lambda: sum(map(_is_established, api.items(path))) == len(made))
    return len(made)


def admit_environments(api: Api) -> int:
    """Have the server check every object below deploy/argocd that is one of Argo CD's, without keeping it."""
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
    kinds = {"Application": "applications", "AppProject": "appprojects"}
    found = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "deploy" / "argocd").rglob("*.yaml"))]
    objects = [each for each in found if each["kind"] in kinds]
    for each in objects:
        place = f"/apis/argoproj.io/v1alpha1/namespaces/argocd/{kinds[each['kind']]}"
        api.create(f"{place}?dryRun=All&fieldValidation=Strict", each)
    return len(objects)


def _is_established(definition: dict[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def values_of(name: str, folder: Path) -> list[str]:
    """The arguments of Helm for an installation; a developer's gets made-up secrets, for no pod here reads them."""
    arguments = [f"--values={CHART / f'values-{part}.yaml'}" for part in INSTALLATIONS[name]]
    if name != "dev":
        return arguments
    services = yaml.safe_load((ROOT / "deploy/helm/bloom/files/platform.yaml").read_text())["services"]
    roles = ["RELAY_DATABASE_URL", "MIGRATION_DATABASE_URL"]
    values = {
        service: dict.fromkeys([*each["secrets"], *each["furtherSecrets"], *roles], "made-up")
        for service, each in services.items()
    }
    secrets = folder / "secrets.json"
    secrets.write_text(json.dumps({"secrets": {"values": values}}))
    return [*arguments, f"--values={secrets}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
