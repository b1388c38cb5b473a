"""Apache Kafka in KRaft mode: one combined node, or three with replicated partitions, each of which can be lost and refilled."""

import base64
import json
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

from local_stack.errors import StackError
from local_stack.jars import KAFKA_FOLDER, java, kafka_classpath
from local_stack.ports import HOST, free_ports, is_listening
from local_stack.process import ChildProcess, wait_until
from local_stack.quorum import voters
from local_stack.sasl_listener import SaslListener

# 384 MB hold the local load with room; the serial collector needs the least memory and no idle threads.
_JAVA_OPTIONS = (
    "-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=128m", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={KAFKA_FOLDER / 'log4j2.xml'}",
)  # fmt: skip

# Start-up takes 2.1 s of processor time with it and 3.6 s without; the peak of what a broker can carry is lower.
_LIGHT_COMPILER = "-XX:TieredStopAtLevel=1"

# What makes a killed broker serve again after seconds instead of a quarter of a minute, and an idle one nearly free.
_NODE_SETTINGS = {
    "process.roles": "broker,controller",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "metadata.max.idle.interval.ms": "5000",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.cleaner.backoff.ms": "60000",
}


class _Layout(TypedDict):
    cluster_id: str
    directories: dict[str, str]
    controllers: dict[str, int]


class KafkaNode:
    """One broker and controller with its own folder and process."""

    def __init__(self, number: int, folder: Path, port: int, process: ChildProcess) -> None:
        self.number = number
        self.folder = folder
        self.port = port
        self.process = process

    @property
    def address(self) -> str:
        """Host and port for clients."""
        return f"{HOST}:{self.port}"

    @property
    def data(self) -> Path:
        """The folder with the node's log segments and its copy of the metadata."""
        return self.folder / "data"

    @property
    def directory_id(self) -> str:
        """What the node's disk is called in the metadata; a wiped one gets a new name."""
        lines = (self.data / "meta.properties").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("directory.id="))


class KafkaCluster:
    """One node, or three with replication factor 3 and min.insync.replicas 2; nodes are numbered from 1.

    A `quick` cluster starts with less work and is not the one to measure throughput on. With a `guard`, which a cluster of one
    node takes, clients can also come by TLS with a password.
    """

    name = "kafka"

    def __init__(
        self,
        folder: Path,
        nodes: int = 1,
        ports: Sequence[int] | None = None,
        *,
        controller_ports: Sequence[int] | None = None,
        quick: bool = False,
        guarded: bool = False,
        logs: Path | None = None,
        pids: Path | None = None,
        cache: Path | None = None,
        guard: SaslListener | None = None,
    ) -> None:
        self.folder = folder
        self._guard = guard
        self._cache = cache
        self._java_options = (*_JAVA_OPTIONS, _LIGHT_COMPILER) if quick else _JAVA_OPTIONS
        self._controller_ports = list(controller_ports or [])[:nodes]
        brokers = list(ports) if ports else free_ports(nodes)
        self.nodes = {
            number: KafkaNode(number, folder / str(number), port, self._process(number, nodes, logs, pids, guarded=guarded))
            for number, port in enumerate(brokers[:nodes], start=1)
        }
        self.replication_factor = 3 if nodes >= 3 else 1
        self.min_insync_replicas = 2 if nodes >= 3 else 1

    def _process(self, number: int, nodes: int, logs: Path | None, pids: Path | None, *, guarded: bool) -> ChildProcess:
        name = "kafka" if nodes == 1 else f"kafka-{number}"
        log = (logs or self.folder) / f"{name}.log"
        return ChildProcess(name, [], log=log, pid_file=(pids or self.folder) / f"{name}.pid", guarded=guarded)

    @property
    def processes(self) -> list[ChildProcess]:
        """The process of each node."""
        return [node.process for node in self.nodes.values()]

    @property
    def address(self) -> str:
        """The addresses of all nodes, with commas between."""
        return self.bootstrap

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes, with commas between."""
        return ",".join(node.address for node in self.nodes.values())

    def start(self) -> None:
        """Start every node, after giving new ones their storage; returns before they are ready."""
        self._layout()
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(self.start_node, self.nodes))

    def start_node(self, number: int) -> None:
        """Start one node; a node without storage is given some and fetches everything from the others."""
        node = self.nodes[number]
        if node.process.is_alive():
            return
        node.folder.mkdir(parents=True, exist_ok=True)
        settings = node.folder / "server.properties"
        settings.write_text("".join(f"{name}={value}\n" for name, value in self._settings(node).items()))
        if not (node.data / "meta.properties").exists():
            self._format(node, settings)
        node.process.command = [java(), *self._java_options, "-cp", kafka_classpath(self._cache), "kafka.Kafka", str(settings)]
        node.process.start()

    def wait_ready(self, limit_seconds: float = 60.0) -> None:
        """Wait until every node is a registered broker that takes clients."""
        for node in self.nodes.values():
            node.process.wait_ready(lambda port=node.port: is_listening(port), limit_seconds)  # type: ignore[misc]  # the default binds the loop's value
        if not wait_until(self.is_ready, limit_seconds, pause=0.1):
            raise StackError(
                "kafka", f"brokers {sorted(self.live_nodes())} of {len(self.nodes)} registered after {limit_seconds:.0f} s"
            )

    def is_ready(self) -> bool:
        """Whether the cluster answers, every node is part of it, and every node votes with the disk that it has now."""
        return self.live_nodes() == set(self.nodes) and self._everybody_votes()

    def _everybody_votes(self) -> bool:
        seats = voters(next(iter(self.nodes.values())).port)
        return seats == {number: node.directory_id for number, node in self.nodes.items()}

    def live_nodes(self) -> set[int]:
        """The numbers of the brokers that the cluster counts as alive; empty when nobody answers."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        reachable = [node.address for node in self.nodes.values() if is_listening(node.port)]
        if not reachable:
            return set()
        client = AdminClient({"bootstrap.servers": ",".join(reachable), "log_level": 0})
        try:
            return set(client.list_topics(timeout=2).brokers)
        except KafkaException:
            return set()

    def stop(self) -> None:
        """Stop every node in an orderly way."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(lambda node: node.process.stop(10.0), self.nodes.values()))

    def kill(self, number: int | None = None) -> None:
        """`kill -9` of one node, or of all."""
        for node in self.nodes.values() if number is None else [self.nodes[number]]:
            node.process.kill()

    def wipe(self, number: int) -> None:
        """Delete what a stopped node had on its disk; started again, it comes back empty and is filled by the others."""
        node = self.nodes[number]
        if node.process.is_alive():
            raise StackError(node.process.name, "is running; kill or stop it before its disk is wiped")
        shutil.rmtree(node.data)
        layout = self._layout()
        layout["directories"].pop(str(number), None)
        self._layout_file.write_text(json.dumps(layout))

    def _settings(self, node: KafkaNode) -> dict[str, str]:
        layout = self._layout()
        controller = layout["controllers"][str(node.number)]
        replicas, in_sync = str(self.replication_factor), str(self.min_insync_replicas)
        listeners = f"BROKER://{node.address},CONTROLLER://{HOST}:{controller}"
        settings = {
            **_NODE_SETTINGS,
            "node.id": str(node.number),
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": ",".join(f"{HOST}:{port}" for port in layout["controllers"].values()),
            # A controller that lost its disk takes its old seat again without an operator.
            "controller.quorum.auto.join.enable": "true",
            "log.dirs": str(node.data),
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
        }
        return self._guard.added_to(settings) if self._guard else settings

    @property
    def _layout_file(self) -> Path:
        return self.folder / "cluster.json"

    def _layout(self) -> _Layout:
        """Cluster id, directory ids of the first voters, controller ports: made once, for the metadata holds them."""
        if not self._layout_file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            names = [str(number) for number in self.nodes]
            layout = _Layout(
                cluster_id=_kafka_uuid(),
                directories={name: _kafka_uuid() for name in names},
                controllers=dict(zip(names, self._controller_ports or free_ports(len(names)), strict=True)),
            )
            self._layout_file.write_text(json.dumps(layout))
        loaded: _Layout = json.loads(self._layout_file.read_text())
        if set(loaded["controllers"]) != {str(number) for number in self.nodes}:
            kept = len(loaded["controllers"])
            raise StackError(
                "kafka",
                f"the kept data belongs to {kept} node(s), not {len(self.nodes)}: set KAFKA_NODES={kept}, or run `make reset`",
            )
        return loaded

    def _format(self, node: KafkaNode, settings: Path) -> None:
        layout = self._layout()
        voters = [
            f"{number}@{HOST}:{layout['controllers'][number]}:{directory}" for number, directory in layout["directories"].items()
        ]
        is_first_start = str(node.number) in layout["directories"]
        role = ["-I", ",".join(voters)] if is_first_start else ["--no-initial-controllers"]
        command = [
            java(), "-Xmx128m", "-XX:+UseSerialGC", _LIGHT_COMPILER, _JAVA_OPTIONS[-1],
            "-cp", kafka_classpath(self._cache),
            "kafka.tools.StorageTool", "format", "-t", layout["cluster_id"], "-c", str(settings), *role,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StackError(node.process.name, f"could not make its storage: {done.stderr or done.stdout}", node.process.log)


def _kafka_uuid() -> str:
    # Kafka writes ids as URL-safe base64 and refuses one that begins with a dash.
    return next(text for text in _base64_uuids() if not text.startswith("-"))


def _base64_uuids() -> Iterable[str]:
    while True:
        yield base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
