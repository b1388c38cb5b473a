"""Argo CD's environments: each is the chart with values that are there, in waves, with images pinned by digest."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_stack.paths import ROOT
from local_stack.services import SERVICES

FOLDER = ROOT / "deploy" / "argocd"
UPDATER = "argocd-image-updater.argoproj.io/"
APPLICATIONS = {path.stem: path for path in sorted((FOLDER / "applications").glob("*.yaml"))}
IMAGES = {*SERVICES, "gateway"}


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def wave(name: str) -> int:
    return int(loaded(APPLICATIONS[name])["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_environment_is_the_chart_with_values_that_are_there(name: str) -> None:
    spec = loaded(APPLICATIONS[name])["spec"]
    chart = ROOT / spec["source"]["path"]
    assert (chart / "Chart.yaml").is_file()
    assert all((chart / values).is_file() for values in spec["source"]["helm"]["valueFiles"])
    assert spec["destination"]["namespace"] == f"bloom-{name}"


def test_every_installation_but_a_developers_is_an_environment_with_the_same_values() -> None:
    from tests.cluster.__main__ import INSTALLATIONS

    found = {name: [f"values-{part}.yaml" for part in parts] for name, parts in INSTALLATIONS.items() if name != "dev"}
    assert {name: loaded(path)["spec"]["source"]["helm"]["valueFiles"] for name, path in APPLICATIONS.items()} == found


@pytest.mark.promise("CI4")
def test_a_release_goes_through_qa_and_production_before_the_cells_one_after_the_other() -> None:
    assert sorted(APPLICATIONS, key=wave) == ["qa", "production", "cell-us", "cell-eu"]
    assert len({wave(name) for name in APPLICATIONS}) == len(APPLICATIONS)
    health = loaded(FOLDER / "health.yaml")["data"]
    # Without it a wave would not wait for the applications of the wave before.
    assert "obj.status.health" in health["resource.customizations.health.argoproj.io_Application"]
    assert "health.yaml" in loaded(FOLDER / "root.yaml")["spec"]["source"]["directory"]["exclude"]


@pytest.mark.promise("CI4")
@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_cluster_is_brought_back_to_what_git_has_whatever_was_changed_in_it(name: str) -> None:
    spec = loaded(APPLICATIONS[name])["spec"]
    assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert spec["source"]["repoURL"].endswith(".git")
    # Whatever a controller may change by itself would be a drift that nobody sees: only replicas, which autoscalers own.
    pointers = [each for entry in spec.get("ignoreDifferences", []) for each in entry["jsonPointers"]]
    assert set(pointers) <= {"/spec/replicas"}


@pytest.mark.promise("K9")
def test_each_cell_lives_in_a_cluster_of_its_own() -> None:
    places = {name: loaded(path)["spec"]["destination"] for name, path in APPLICATIONS.items()}
    cells = [place["name"] for name, place in places.items() if name.startswith("cell-")]
    assert len(cells) == len(set(cells)) == 2
    assert not [place for name, place in places.items() if name.startswith("cell-") and "server" in place]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_image_is_updated_by_its_digest_where_the_chart_takes_it(name: str, tmp_path: Path) -> None:
    notes = loaded(APPLICATIONS[name])["metadata"]["annotations"]
    listed = dict(entry.split("=") for entry in notes[f"{UPDATER}image-list"].split(", "))
    assert set(listed) == IMAGES
    assert {notes[f"{UPDATER}{image}.update-strategy"] for image in IMAGES} == {"digest"}
    pinned = {image: f"{listed[image].rpartition(':')[0]}@sha256:{'b' * 64}" for image in IMAGES}
    assert {notes[f"{UPDATER}{image}.helm.image-spec"] for image in IMAGES} == {f"image.pinned.{image}" for image in IMAGES}
    written = tmp_path / "pinned.json"
    written.write_text(json.dumps({"image": {"pinned": pinned}}))
    source = loaded(APPLICATIONS[name])["spec"]["source"]
    values = [f"--values={ROOT / source['path'] / each}" for each in source["helm"]["valueFiles"]]
    helm = str(Path(sys.executable).with_name("helm"))
    command = [helm, "template", "bloom", str(ROOT / source["path"]), *values, f"--values={written}"]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert {line.split("image: ")[1].strip('"') for line in rendered.splitlines() if " image: " in line} == set(pinned.values())


def test_the_project_lets_environments_into_their_own_namespaces_only() -> None:
    project = loaded(FOLDER / "project.yaml")["spec"]
    assert {each["namespace"] for each in project["destinations"]} == {"argocd", "bloom-*"}
    assert {loaded(path)["spec"]["project"] for path in APPLICATIONS.values()} == {"bloom"}
    assert {loaded(path)["spec"]["source"]["repoURL"] for path in APPLICATIONS.values()} <= set(project["sourceRepos"])
