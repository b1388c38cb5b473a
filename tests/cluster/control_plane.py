"""A control plane on this machine: etcd, API server, controllers, scheduler, and kwok in the place of the nodes' kubelets."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.cluster.api import Api, Broken, wait_for

from local_stack.ports import HOST, free_port

ZONES = ("a", "b", "c")
NODES = 6
_ROOM = {"cpu": "32", "memory": "128Gi", "pods": "110"}


class Cluster:
    """A running cluster: its API and the file by which Helm finds it."""

    def __init__(self, api: Api, kubeconfig: Path) -> None:
        self.api = api
        self.kubeconfig = kubeconfig


@contextmanager
def control_plane(programs: Path, folder: Path) -> Iterator[Cluster]:
    """Start everything in `folder`; at the end every program that was started is stopped again."""
    etcd, peers, port = free_port(), free_port(), free_port()
    token, key = secrets.token_hex(16), folder / "service-accounts.pem"
    key.write_bytes(_private_key())
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    url = f"https://{HOST}:{port}"
    kubeconfig = _kubeconfig(folder, url, token)
    with ExitStack() as running:

        def start(name: str, *arguments: str) -> None:
            running.enter_context(_running([str(programs / name), *arguments], folder / f"{name}.log"))

        start("etcd", *_etcd(folder, etcd, peers))
        start("kube-apiserver", *_api_server(folder, etcd, port, key))
        ca_file = folder / "certificates" / "apiserver.crt"
        wait_for("the API server makes its certificate", ca_file.exists, 60)
        api = Api(url, token, ca_file)
        running.callback(api.close)
        wait_for("the API server answers", api.is_ready, 90)
        config = f"--kubeconfig={kubeconfig}"
        start("kube-controller-manager", config, "--leader-elect=false", f"--secure-port={free_port()}",
              f"--service-account-private-key-file={key}", "--concurrent-deployment-syncs=20", "--kube-api-qps=300",
              "--kube-api-burst=400", f"--cert-dir={folder / 'controllers'}")  # fmt: skip
        start(
            "kube-scheduler", config, "--leader-elect=false", f"--secure-port={free_port()}", f"--cert-dir={folder / 'scheduler'}"
        )
        start("kwok", config, "--manage-all-nodes=true", f"--server-address={HOST}:{free_port()}")
        _add_nodes(api)
        yield Cluster(api, kubeconfig)


def _etcd(folder: Path, port: int, peers: int) -> list[str]:
    client, peer = f"http://{HOST}:{port}", f"http://{HOST}:{peers}"
    return [
        f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync", "--log-level=error",
    ]  # fmt: skip


def _api_server(folder: Path, etcd: int, port: int, key: Path) -> list[str]:
    return [
        f"--etcd-servers=http://{HOST}:{etcd}", f"--secure-port={port}", f"--bind-address={HOST}",
        f"--advertise-address={HOST}", f"--cert-dir={folder / 'certificates'}", f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC", "--allow-privileged=true", "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://cluster.test",
        f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
    ]  # fmt: skip


def _private_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _kubeconfig(folder: Path, url: str, token: str) -> Path:
    ca_file = str(folder / "certificates" / "apiserver.crt")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": ca_file}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("w") as written, subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT) as process:
        try:
            yield
            if process.poll() is not None:
                raise Broken(f"{log.stem} ended by itself: {log.read_text()[-2000:]}")
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _add_nodes(api: Api) -> None:
    for number in range(NODES):
        name = f"node-{number}"
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "topology.kubernetes.io/zone": ZONES[number % len(ZONES)],
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        api.create("/api/v1/nodes", {**node, "status": {"capacity": _ROOM, "allocatable": _ROOM}})
    wait_for("all nodes are ready", lambda: all(_is_ready(node) for node in api.items("/api/v1/nodes")))


def _is_ready(node: dict[str, object]) -> bool:
    status = node["status"]
    assert isinstance(status, dict)
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))
