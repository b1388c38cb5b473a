"""The whole platform as one object: its components, the order of their start, and what is kept in its folder."""

import asyncio
import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from local_stack.component import Component, Step, bring_up, is_running
from local_stack.envoy import EnvoyGateway
from local_stack.errors import StackError
from local_stack.names import import_name
from local_stack.own_settings import settings_by_service
from local_stack.plan import Done, run
from local_stack.ports import DEFAULT_PORTS, HOST
from local_stack.prometheus import Prometheus
from local_stack.servers import Places, make_servers
from local_stack.services import SERVICES, ServiceProcess, Surroundings, migrate_service
from local_stack.topics import create_topics

DEMO_TENANT = "demo"


class Stack:
    """Everything that `make up` starts, with its data, logs, pids and secrets under `folder`.

    `own_settings` adds variables to a service's processes (`{"billing": {"LOG_LEVEL": "DEBUG"}}`). A `guarded` stack is
    killed when the process that started it ends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: Mapping[str, int] = DEFAULT_PORTS,
        kafka_nodes: int = 1,
        environment: str = "local",
        own_settings: Mapping[str, Mapping[str, str]] | None = None,
        rate_factor: float = 1.0,
        guarded: bool = False,
        observed: bool = False,
    ) -> None:
        self.folder = folder
        self.ports = dict(ports)
        self.kafka_nodes = kafka_nodes
        self.guarded = guarded
        self._places = Places(folder)
        self.logs, self.secrets = self._places.logs, self._places.secrets
        self.servers = make_servers(self._places, self.ports, kafka_nodes=kafka_nodes, guarded=guarded)
        self.postgres, self.valkey, self.kafka = self.servers.postgres, self.servers.valkey, self.servers.kafka
        self.objects, self.mail = self.servers.objects, self.servers.mail
        self.surroundings = self._surroundings(environment, own_settings or {})
        self.services = {
            f"{service}-{process}": self.service_process(service, process, port=self.ports[f"{service}-{process}"])
            for service, processes in SERVICES.items()
            for process in processes
        }
        self.gateway = EnvoyGateway(
            self._places.data / "gateway",
            port=self.ports["gateway"],
            admin_port=self.ports["gateway-admin"],
            upstreams=self._upstreams(),
            logs=self.logs,
            pids=self._places.pids,
            rate_factor=rate_factor,
            guarded=guarded,
        )
        self.prometheus = self._prometheus() if observed else None

    @property
    def components(self) -> list[Component]:
        """Every component, in the order of the start."""
        return [*self.servers.all(), *self.services.values(), self.gateway, *self._watchers()]

    def service_process(
        self, service: str, process: str, *, port: int, instance: int = 1, settings: Mapping[str, str] | None = None
    ) -> ServiceProcess:
        """A process of a service in this stack; a test may ask for a further instance or other settings of one."""
        named = {f"{import_name(service).upper()}_WORKER_INSTANCE": f"{process}-{instance}"} if process == "worker" else {}
        variables = named | self.surroundings.of(service, process, port=port) | dict(settings or {})
        folder = self._places.data / "services" / f"{service}-{process}-{instance}"
        places = {"logs": self.logs, "pids": self._places.pids, "folder": folder}
        return ServiceProcess(
            service, process, port=port, environment=variables, instance=instance, guarded=self.guarded, **places
        )

    def steps(self) -> list[Step]:
        """Everything to do on the way up: servers, databases with their tables, topics, processes, the gateway."""
        servers = [_component_step(component) for component in self.servers.all()]
        migrations = [self._migrations_step(service) for service in SERVICES]
        topics = Step("topics", ("kafka",), self._create_topics)
        processes = [
            _component_step(component, f"{name.rpartition('-')[0]}-migrations", *needs_of(name))
            for name, component in self.services.items()
        ]
        gateway = _component_step(self.gateway, *(name for name in self.services if name.endswith(("-api", "-socket"))))
        watchers = [_component_step(watcher, "gateway") for watcher in self._watchers()]
        return [*servers, *migrations, topics, *processes, gateway, *watchers]

    def up(self, report: Callable[[Done], None]) -> None:
        """Bring up what does not run; when a part fails, what this call started is stopped again and the rest is left alone."""
        new = [component for component in self.components if not is_running(component)]
        try:
            run(self.steps(), report, lambda: _stop_together(new))
        except BaseException:
            # A step that was under way may have started its program after it was told to stop.
            _stop_together(new)
            raise

    def down(self, report: Callable[[str], None]) -> None:
        """Stop everything in reverse order: the gateway first, then APIs and sockets, workers and relays, the servers last."""
        serving: list[Component] = [process for name, process in self.services.items() if name.endswith(("-api", "-socket"))]
        others: list[Component] = [process for process in self.services.values() if process not in serving]
        last: list[Component] = [self.valkey, self.postgres]
        servers = [server for server in self.servers.all() if server not in last]
        groups: list[list[Component]] = [[self.gateway, *self._watchers()], serving, others, servers, last]
        for group in groups:
            running = [component for component in group if any(process.is_alive() for process in component.processes)]
            _stop_together(running)
            for component in running:
                report(component.name)

    def stop_services(self) -> None:
        """Stop the gateway and everything of the services; the servers go on."""
        _stop_together([self.gateway])
        _stop_together(list(self.services.values()))

    def kill(self) -> None:
        """`kill -9` for everything at once."""
        for component in reversed(self.components):
            component.kill()

    def wanted_ports(self) -> dict[str, int]:
        """The ports, by name, of everything that does not run."""
        wanted = {
            component.name: component
            for component in self.components
            if component is not self.kafka and not is_running(component)
        }
        ports = {name: self.ports[name] for component in wanted for name in (component, *_FURTHER_PORTS.get(component, ()))}
        for number, node in self.kafka.nodes.items():
            if not node.process.is_alive():
                suffix = "" if number == 1 else f"-{number}"
                ports |= {f"kafka{suffix}": node.port, f"kafka-controller{suffix}": self.ports[f"kafka-controller{suffix}"]}
        return ports

    def _watchers(self) -> list[Component]:
        return [self.prometheus] if self.prometheus else []

    def _prometheus(self) -> Prometheus:
        places = self._places
        log, pid_file = places.log_of("prometheus"), places.pid_of("prometheus")
        return Prometheus(places.data / "prometheus", self.ports, log=log, pid_file=pid_file, guarded=self.guarded)

    def _upstreams(self) -> dict[str, str]:
        """The addresses of the gateway's routes: an API has its service's name, a socket process its own."""
        named = {service: f"{service}-api" for service in SERVICES}
        sockets = {name: name for name in self.services if name.endswith("-socket")}
        return {upstream: f"{HOST}:{self.ports[name]}" for upstream, name in {**named, **sockets}.items()}

    def _surroundings(self, environment: str, further: Mapping[str, Mapping[str, str]]) -> Surroundings:
        return Surroundings(
            environment=environment,
            databases={service: self.postgres.service_database(service) for service in SERVICES},
            kafka_bootstrap=self.kafka.bootstrap,
            valkey_url=self.valkey.url,
            jwks_url=f"http://{HOST}:{self.ports['auth-api']}/.well-known/jwks.json",
            own_settings=settings_by_service(self.servers, self.secrets, self.ports, tenant=DEMO_TENANT, further=further),
        )

    def _migrations_step(self, service: str) -> Step:
        def work() -> str:
            return asyncio.run(migrate_service(service, self.postgres.create_service_database(service)))

        return Step(f"{service}-migrations", ("postgres",), work)

    def _create_topics(self) -> str:
        from bloom_events.topics import all_topics

        replication, in_sync = self.kafka.replication_factor, self.kafka.min_insync_replicas
        topics = list(all_topics())
        made = create_topics(self.kafka.bootstrap, topics, replication_factor=replication, min_insync_replicas=in_sync)
        return f"{len(topics)} there, {len(made)} new"


# What each kind of process needs beside its migrated database: APIs and sockets serve while Kafka is away, the others cannot.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "api": ("valkey",),
    "socket": ("valkey",),
    "worker": ("topics",),
    "relay": ("topics",),
    "lake": ("topics", "objects"),
}
# What single processes talk to beside that.
_FURTHER_NEEDS: Mapping[str, tuple[str, ...]] = {"messaging-api": ("objects",), "notifications-worker": ("mail", "providers")}
# What else a component listens on.
_FURTHER_PORTS: Mapping[str, tuple[str, ...]] = {"gateway": ("gateway-admin",), "mail": ("mail-view",)}


def needs_of(process: str) -> tuple[str, ...]:
    """What a service's process waits for at the start, beside its migrated database."""
    return (*_NEEDS[process.rpartition("-")[2]], *_FURTHER_NEEDS.get(process, ()))


def save_layout(stack: Stack) -> None:
    """Keep ports, number of Kafka nodes and whether it is observed, so that other commands find the stack untold."""
    stack.folder.mkdir(parents=True, exist_ok=True)
    layout = {"ports": stack.ports, "kafka_nodes": stack.kafka_nodes, "observed": stack.prometheus is not None}
    _layout_file(stack.folder).write_text(json.dumps(layout, indent=1))


def load_stack(folder: Path) -> Stack | None:
    """The stack that was last brought up in this folder, or None."""
    try:
        layout = json.loads(_layout_file(folder).read_text())
    except FileNotFoundError:
        return None
    ports = {**DEFAULT_PORTS, **layout["ports"]}
    return Stack(folder, ports=ports, kafka_nodes=layout["kafka_nodes"], observed=layout.get("observed", False))


@contextmanager
def only_one_command(folder: Path) -> Iterator[None]:
    """Hold the folder while a command changes what runs; StackError when another command holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError("stack", f"another command is at work on {folder}; wait for it") from error
        yield


def _layout_file(folder: Path) -> Path:
    return folder / "stack.json"


def _component_step(component: Component, *needs: str) -> Step:
    return Step(component.name, needs, lambda: bring_up(component))


def _stop_together(components: list[Component]) -> None:
    if components:
        with ThreadPoolExecutor(len(components)) as pool:
            list(pool.map(lambda component: component.stop(), components))
