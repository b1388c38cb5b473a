"""The programs of a Kubernetes control plane, built once by Go from pinned modules, and the operators' CRDs from theirs."""

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from local_stack.paths import ROOT

MODULES = ROOT / "tools" / "go" / "cluster"
KUBERNETES = "v1.34.1"
# Helm asks the server for its version, which a build from a module does not know by itself.
_VERSION = (
    f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES} -X k8s.io/component-base/version.gitMajor=1 "
    f"-X k8s.io/component-base/version.gitMinor=34"
)
# Program: the folder of its go.mod and its package.
PROGRAMS: Mapping[str, tuple[str, str]] = {
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": ("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": ("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kube-scheduler": ("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler"),
    "kwok": ("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
}
# Module: where in it the CRDs are.
CRDS: Mapping[str, str] = {
    "github.com/kedacore/keda/v2": "config/crd/bases/keda.sh_*.yaml",
    "github.com/external-secrets/external-secrets": "config/crds/bases/external-secrets.io_*.yaml",
    "sigs.k8s.io/gateway-api": "config/crd/standard/*_*.yaml",
    "github.com/prometheus-operator/prometheus-operator": "example/prometheus-operator-crd/*_*.yaml",
    "github.com/argoproj/argo-cd/v3": "manifests/crds/app*.yaml",
    "istio.io/api": "kubernetes/customresourcedefinitions.gen.yaml",
}


class _Loader(yaml.CSafeLoader):
    """Reads a bare `=` as what it is in a list of operators, where YAML 1.1 has a meaning of its own for it."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: str(node.value))


class CannotBuild(Exception):  # noqa: N818  # named for what is found
    """This machine lacks what the programs are built with."""


def built() -> Path:
    """The folder with all programs; they are built where they are not there yet, which takes minutes."""
    if shutil.which("go") is None:
        raise CannotBuild("no 'go' on the PATH: the cluster's programs are built by Go 1.24 or newer")
    seal = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(MODULES.rglob("go.*")))).hexdigest()[:12]
    folder = ROOT / ".local" / "cluster" / seal
    folder.mkdir(parents=True, exist_ok=True)
    for name, (module, package) in PROGRAMS.items():
        if not (folder / name).exists():
            _build(folder / name, MODULES / module, package)
    return folder


def _build(program: Path, module: Path, package: str) -> None:
    started = time.monotonic()
    print(f"building {program.name} ..", flush=True)
    # Under another name first: a build that is cut off leaves nothing that looks finished.
    making = program.with_suffix(".making")
    command = ["go", "build", "-trimpath", "-ldflags", _VERSION, "-o", str(making), package]
    done = subprocess.run(command, cwd=module, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(f"{program.name}: {done.stderr.strip()[-2000:]}")
    making.rename(program)
    print(f"built {program.name} in {time.monotonic() - started:.0f} s", flush=True)


def definitions() -> Iterator[dict[str, Any]]:
    """The CRDs of every operator that the chart or Argo CD has objects for."""
    listed = subprocess.run(
        ["go", "mod", "download", "-json", *CRDS], cwd=MODULES / "crds", capture_output=True, text=True, check=False
    )
    if listed.returncode:
        raise CannotBuild(f"the modules of the CRDs: {listed.stderr.strip()[-2000:]}")
    decoder, text = json.JSONDecoder(), listed.stdout.strip()
    while text:
        module, end = decoder.raw_decode(text)
        text = text[end:].strip()
        for path in sorted(Path(module["Dir"]).glob(CRDS[module["Path"]])):
            yield from (each for each in yaml.load_all(path.read_text(), Loader=_Loader) if _is_definition(each))


def _is_definition(found: Any) -> bool:
    return isinstance(found, dict) and found.get("kind") == "CustomResourceDefinition"
