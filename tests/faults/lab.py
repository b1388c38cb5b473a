"""Where things are broken on purpose: real servers on free ports, service processes to kill, all gone at the end."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import asyncpg

from bloom_events.topics import all_topics
from local_stack.kafka import KafkaCluster, KafkaNode
from local_stack.ports import HOST, free_port
from local_stack.postgres import PostgresServer, ServiceDatabase
from local_stack.services import ServiceProcess, Surroundings, migrate_service
from local_stack.topics import create_topics
from local_stack.valkey import ValkeyServer
from service_kit.testing import TokenIssuer

# What a process writes is with the kernel, synced or not: `kill -9` of a server loses none of it.
POSTGRES = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}

_OWN_SETTINGS: Mapping[str, Mapping[str, str]] = {"notifications": {"MASTER_KEY": base64.b64encode(b"k" * 32).decode()}}

# What starts while others are killed and refilled beside it, on a machine at half speed, takes its time.
START_SECONDS = 120.0

# Processes that are started again and again find their bytecode, whatever the run itself was told.
_QUICK_START = {"PYTHONDONTWRITEBYTECODE": ""}


class KeyServer:
    """Answers every request with the public keys of the tokens that this lab issues."""

    def __init__(self, issuer: TokenIssuer) -> None:
        body = json.dumps(issuer.jwks).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server calls
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's signature
                """Say nothing per request."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"http://{HOST}:{self._server.server_port}/jwks.json"

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


class SideDoor(NamedTuple):
    """A second listener of a broker at `port`, whose clients are sent to `advertised`: the port of a proxy before it."""

    port: int
    advertised: int


class SideDoorKafka(KafkaCluster):
    """One broker with a side door: who comes through the proxy is kept there, everybody else goes in directly."""

    def __init__(self, folder: Path, side_door: SideDoor) -> None:
        super().__init__(folder, guarded=True)
        self._side_door = side_door

    def _settings(self, node: KafkaNode) -> dict[str, str]:
        settings = super()._settings(node)
        settings["listeners"] += f",SIDE://{HOST}:{self._side_door.port}"
        settings["advertised.listeners"] += f",SIDE://{HOST}:{self._side_door.advertised}"
        settings["listener.security.protocol.map"] += ",SIDE:PLAINTEXT"
        return settings


class World:
    """One Kafka with its topics, and fresh databases, for one row; what happens in it does not reach another row's."""

    def __init__(self, lab: Lab, folder: Path, *, nodes: int, with_kafka: bool = True, side_door: SideDoor | None = None) -> None:
        self.lab = lab
        self._with_kafka = with_kafka
        self.folder = folder
        kafka = folder / "kafka"
        self.kafka = SideDoorKafka(kafka, side_door) if side_door else KafkaCluster(kafka, nodes=nodes, guarded=True)
        self.postgres = lab.postgres
        self.databases: dict[str, ServiceDatabase] = {}
        self._made: list[ServiceProcess] = []

    async def __aenter__(self) -> Self:
        if not self._with_kafka:
            return self
        self.kafka.start()
        self.kafka.wait_ready(START_SECONDS)
        factor = self.kafka.replication_factor
        create_topics(
            self.kafka.bootstrap, all_topics(), replication_factor=factor, min_insync_replicas=self.kafka.min_insync_replicas
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._made:
            process.kill()
        self.kafka.kill()
        for database in self.databases.values():
            self.postgres.drop_database(database.name)

    async def database(self, service: str) -> ServiceDatabase:
        """The service's migrated database in this world, made when first asked for."""
        if service not in self.databases:
            name = f"{service}_{self.folder.name}"
            made = self.postgres.create_service_database(service, name=name)
            await migrate_service(service, made)
            self.databases[service] = made
        return self.databases[service]

    async def process(
        self, service: str, process: str, *, instance: int = 1, kafka: str | None = None, extra: Mapping[str, str] | None = None
    ) -> ServiceProcess:
        """A process of a service, not yet started; `extra` are more variables, `kafka` is another way to the broker."""
        await self.database(service)
        surroundings = Surroundings(
            environment="test",
            databases=self.databases,
            kafka_bootstrap=kafka or self.kafka.bootstrap,
            valkey_url=self.lab.valkey.url,
            jwks_url=self.lab.keys.url,
            own_settings={
                service: {
                    "TOKEN_ISSUER": self.lab.issuer.issuer,
                    "TOKEN_AUDIENCE": self.lab.issuer.audience,
                    **_OWN_SETTINGS.get(service, {}),
                }
            },
        )
        port = free_port()
        made = ServiceProcess(
            service,
            process,
            port=port,
            environment={**surroundings.of(service, process, port=port), **_QUICK_START, **(extra or {})},
            logs=self.folder / "logs",
            pids=self.folder / "pids",
            folder=self.folder / f"{service}-{process}-{instance}",
            instance=instance,
            guarded=True,
        )
        self._made.append(made)
        return made

    async def started(self, service: str, process: str, **options: object) -> ServiceProcess:
        """The same, started and ready."""
        made = await self.process(service, process, **options)  # type: ignore[arg-type]  # handed on by name as they came
        made.start()
        # In a thread: a proxy between the process and what it needs may live on this loop.
        await asyncio.to_thread(made.wait_ready, START_SECONDS)
        return made

    async def superuser(self, service: str) -> asyncpg.Connection[asyncpg.Record]:
        """A connection to the service's database that row security does not bind: for setting up and for checking."""
        database = await self.database(service)
        return await asyncpg.connect(self.postgres.url("postgres", database.name))


class Lab:
    """PostgreSQL, Valkey and an issuer of tokens for a whole run; `world()` gives a row the rest."""

    def __init__(self, postgres_settings: Mapping[str, str] = POSTGRES) -> None:
        self._postgres_settings = postgres_settings
        self.folder = Path(tempfile.mkdtemp(prefix="bloom-lab-"))
        self.issuer = TokenIssuer()
        self._worlds = 0

    async def __aenter__(self) -> Self:
        self.keys = KeyServer(self.issuer)
        self.postgres = PostgresServer(self.folder / "postgres", settings=self._postgres_settings, guarded=True)
        self.valkey = ValkeyServer(self.folder / "valkey", guarded=True)
        for server in (self.postgres, self.valkey):
            server.start()
        for server in (self.postgres, self.valkey):
            server.wait_ready(START_SECONDS)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.postgres.kill()
        self.valkey.kill()
        self.keys.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def world(self, *, nodes: int = 1, with_kafka: bool = True, side_door: SideDoor | None = None) -> World:
        """A fresh world; enter it with `async with`. APIs alone need no Kafka."""
        self._worlds += 1
        return World(self, self.folder / f"world_{self._worlds}", nodes=nodes, with_kafka=with_kafka, side_door=side_door)
