"""The servers that the services stand on, each with its place in the stack's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_stack.component import Component
from local_stack.kafka import KafkaCluster
from local_stack.mail import MailSink
from local_stack.objects import ObjectStore
from local_stack.postgres import PostgresServer
from local_stack.providers import ProviderSimulator
from local_stack.valkey import ValkeyServer


@dataclass(frozen=True)
class Places:
    """Where a stack keeps what: everything below one folder."""

    folder: Path

    @property
    def data(self) -> Path:
        """What the components keep, a folder for each."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.folder / "logs"

    @property
    def pids(self) -> Path:
        """One file per process that was started."""
        return self.folder / "pids"

    @property
    def secrets(self) -> Path:
        """One file per secret, for the owner alone."""
        return self.folder / "secrets"

    def log_of(self, name: str) -> Path:
        """The log of a component."""
        return self.logs / f"{name}.log"

    def pid_of(self, name: str) -> Path:
        """The pid file of a component."""
        return self.pids / f"{name}.pid"


@dataclass(frozen=True)
class Servers:
    """Everything that is not a service and not the gateway."""

    postgres: PostgresServer
    valkey: ValkeyServer
    kafka: KafkaCluster
    objects: ObjectStore
    mail: MailSink
    providers: ProviderSimulator

    def all(self) -> list[Component]:
        """In the order of the start; none needs another."""
        return [self.postgres, self.valkey, self.kafka, self.objects, self.mail, self.providers]


def make_servers(places: Places, ports: Mapping[str, int], *, kafka_nodes: int, guarded: bool) -> Servers:
    """The servers of a stack; nothing is started."""
    suffixes = ["", "-2", "-3"][:kafka_nodes]
    kafka = KafkaCluster(
        places.data / "kafka",
        kafka_nodes,
        [ports[f"kafka{suffix}"] for suffix in suffixes],
        controller_ports=[ports[f"kafka-controller{suffix}"] for suffix in suffixes],
        quick=True,
        guarded=guarded,
        logs=places.logs,
        pids=places.pids,
    )
    return Servers(
        postgres=PostgresServer(places.data / "postgres", ports["postgres"], **_kept(places, "postgres", guarded=guarded)),
        valkey=ValkeyServer(places.data / "valkey", ports["valkey"], **_kept(places, "valkey", guarded=guarded)),
        kafka=kafka,
        objects=ObjectStore(places.data / "objects", ports["objects"], **_kept(places, "objects", guarded=guarded)),
        mail=MailSink(
            places.data / "mail", ports["mail"], http_port=ports["mail-view"], **_kept(places, "mail", guarded=guarded)
        ),
        providers=ProviderSimulator(places.data / "providers", ports["providers"], **_kept(places, "providers", guarded=guarded)),
    )


def _kept(places: Places, name: str, *, guarded: bool) -> dict[str, Any]:
    """Where a server of this name keeps its secrets, log and pid."""
    return {"guarded": guarded, "secrets": places.secrets, "log": places.log_of(name), "pid_file": places.pid_of(name)}
