"""The life of one installation: installed, upgraded, rolled back, scaled, a node drained under it, and gone without a trace."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.api import Broken, Object, wait_for
from tests.cluster.control_plane import Cluster

from local_stack.paths import ROOT

CHART = ROOT / "deploy" / "helm" / "bloom"
FIRST, SECOND = "0.9.0", "1.0.0"
_PATIENCE = "300s"
# What every namespace has, and what lives on for a while without being anybody's.
_OWN_OF_NAMESPACES = {("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default"), ("resourcequotas", "bloom")}
_PASSING = {"events"}


class Story:
    """One installation in a namespace of its own, under the restricted level and a quota."""

    def __init__(self, cluster: Cluster, name: str, values: list[str], tell: Callable[[str], None]) -> None:
        self._cluster, self._api = cluster, cluster.api
        self._values, self._tell = values, tell
        self._namespace = f"bloom-{name}"
        self._apps = f"/apis/apps/v1/namespaces/{self._namespace}"
        self._core = f"/api/v1/namespaces/{self._namespace}"

    def run(self) -> None:
        """Every chapter in order; Broken at the first that does not hold."""
        for chapter in (self.prepare, self.install, self.upgrade, self.roll_back, self.scale, self.drain, self.uninstall):
            started = time.monotonic()
            said = chapter()
            self._tell(f"{self._namespace}: {chapter.__name__.replace('_', ' ')}: {said} ({time.monotonic() - started:.1f} s)")

    def prepare(self) -> str:
        level = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest"}
        self._api.create(
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace, "labels": level}},
        )
        hard = {"pods": "120", "requests.cpu": "60", "requests.memory": "80Gi", "limits.cpu": "120", "limits.memory": "160Gi"}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "bloom"}, "spec": {"hard": hard}}
        self._api.create(f"{self._core}/resourcequotas", quota)
        wait_for("the namespace has its account", self._has_account)
        pod = {"containers": [{"name": "one", "image": "one", "securityContext": {"privileged": True}}]}
        planted = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "planted"}, "spec": pod}
        refused = self._api.refusal(f"{self._core}/pods", planted)
        if "violates PodSecurity" not in refused:
            raise Broken(f"a privileged pod was not refused for what it is: {refused or 'it was let in'}")
        return "restricted level and quota hold, a privileged pod was refused"

    def install(self) -> str:
        self._helm("install", f"--set=image.tag={FIRST}", "--wait", f"--timeout={_PATIENCE}")
        self._all_available(FIRST)
        left = [job["metadata"]["name"] for job in self._api.items(f"/apis/batch/v1/namespaces/{self._namespace}/jobs")]
        if left:
            raise Broken(f"jobs of the installation were left: {left}")
        return f"{len(self._deployments())} deployments available, topics and migrations before them"

    def upgrade(self) -> str:
        self._helm("upgrade", f"--set=image.tag={SECOND}", "--wait", f"--timeout={_PATIENCE}")
        self._all_available(SECOND)
        return f"every pod from {FIRST} to {SECOND}"

    def roll_back(self) -> str:
        self._run("rollback", "bloom", "1", f"--namespace={self._namespace}", "--wait", f"--timeout={_PATIENCE}")
        self._all_available(FIRST)
        return f"every pod back at {FIRST}"

    def scale(self) -> str:
        self._api.merge(f"{self._apps}/deployments/billing-api/scale", {"spec": {"replicas": 5}})
        wait_for("billing-api has five pods", lambda: self._deployment("billing-api")["status"].get("availableReplicas") == 5)
        nodes = {pod["spec"]["nodeName"] for pod in self._pods("billing-api")}
        if len(nodes) != 5:
            raise Broken(f"five pods of billing-api are on {len(nodes)} nodes")
        return "billing-api at 5 pods, each on a node of its own"

    def drain(self) -> str:
        """Evict everything from the fullest node, as `kubectl drain` does; no process ever lacks more than one pod."""
        pods = [pod for pod in self._api.items(f"{self._core}/pods") if pod["spec"].get("nodeName")]
        names = [pod["spec"]["nodeName"] for pod in pods]
        node = max(set(names), key=names.count)
        self._refuses_two_at_once()
        self._api.merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
        lowest: dict[str, int] = {}
        deadline = time.monotonic() + 240
        while left := [pod for pod in self._api.items(f"{self._core}/pods") if pod["spec"].get("nodeName") == node]:
            if time.monotonic() > deadline:
                raise Broken(f"{len(left)} pods are still on {node}")
            for pod in left:
                self._evict(pod)
            self._note(lowest)
        self._api.merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
        short = {name: missing for name, missing in lowest.items() if missing > 1}
        if short:
            raise Broken(f"more than one pod was missing at a time: {short}")
        self._all_available(FIRST)
        return f"{names.count(node)} pods left {node}, no process lacked more than one pod"

    def uninstall(self) -> str:
        self._run("uninstall", "bloom", f"--namespace={self._namespace}", "--wait", f"--timeout={_PATIENCE}")
        wait_for(f"nothing is left in {self._namespace}", lambda: not self._remains(), 90)
        self._api.delete(f"/api/v1/namespaces/{self._namespace}")
        return "nothing is left"

    def _refuses_two_at_once(self) -> None:
        """A budget is no budget unless the second eviction is refused while the first pod is being replaced."""
        wait_for("the budget knows of the five pods of billing-api", self._lets_one_of_five_go)
        answers = [self._evict(pod) for pod in self._pods("billing-api")]
        if 201 not in answers or 429 not in answers:
            raise Broken(f"the budget of billing-api answered {answers} to as many evictions at once")
        wait_for("billing-api is whole again", self._lets_one_of_five_go)

    def _lets_one_of_five_go(self) -> bool:
        status = self._api.get(f"/apis/policy/v1/namespaces/{self._namespace}/poddisruptionbudgets/billing-api")["status"]
        return [status[name] for name in ("expectedPods", "currentHealthy", "disruptionsAllowed")] == [5, 5, 1]

    def _evict(self, pod: Object) -> int:
        name = pod["metadata"]["name"]
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self._namespace}}
        return self._api.status_of_creating(f"{self._core}/pods/{name}/eviction", body)

    def _note(self, lowest: dict[str, int]) -> None:
        for deployment in self._deployments():
            name, status = deployment["metadata"]["name"], deployment["status"]
            missing = deployment["spec"]["replicas"] - status.get("availableReplicas", 0)
            lowest[name] = max(lowest.get(name, 0), missing)

    def _all_available(self, tag: str) -> None:
        def done() -> bool:
            return all(_is_available(each) for each in self._deployments())

        wait_for(f"every deployment of {self._namespace} is available", done)
        images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in self._deployments()}
        if not images or any(not image.endswith(f":{tag}") for image in images):
            raise Broken(f"not every image is {tag}: {sorted(images)}")

    def _has_account(self) -> bool:
        return any(each["metadata"]["name"] == "default" for each in self._api.items(f"{self._core}/serviceaccounts"))

    def _deployments(self) -> list[Object]:
        return self._api.items(f"{self._apps}/deployments")

    def _deployment(self, name: str) -> Object:
        return self._api.get(f"{self._apps}/deployments/{name}")

    def _pods(self, name: str) -> list[Object]:
        return self._api.items(f"{self._core}/pods?labelSelector=app.kubernetes.io/name={name}")

    def _remains(self) -> list[str]:
        found = []
        for resource in self._api.resources():
            group, _, kind = resource.partition(":")
            for each in self._api.items(f"{group}/namespaces/{self._namespace}/{kind}"):
                name = each["metadata"]["name"]
                if kind not in _PASSING and (kind, name) not in _OWN_OF_NAMESPACES:
                    found.append(f"{kind}/{name}")
        return found

    def _helm(self, command: str, *further: str) -> None:
        self._run(command, "bloom", str(CHART), f"--namespace={self._namespace}", *self._values, *further)

    def _run(self, *arguments: str) -> None:
        helm = Path(sys.executable).with_name("helm")
        environment = {**os.environ, "KUBECONFIG": str(self._cluster.kubeconfig)}
        done = subprocess.run([str(helm), *arguments], capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise Broken(f"helm {arguments[0]}: {done.stderr.strip()[-2000:]}")


def _is_available(deployment: dict[str, Any]) -> bool:
    wanted, status = deployment["spec"]["replicas"], deployment["status"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return counts == [wanted] * 3 and status.get("observedGeneration") == deployment["metadata"]["generation"]
